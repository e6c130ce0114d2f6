"""Training of the embedded inpainting model: `python -m training.pocket --help`, one command for each stage."""
