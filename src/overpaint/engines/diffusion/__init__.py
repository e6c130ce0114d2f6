"""The diffusion engine: text-guided inpainting with the field's checkpoints, in one loop."""
