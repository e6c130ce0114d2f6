"""The embedded inpainting model, from photos to weights: `python -m training.pocket --help`, one command a stage."""
