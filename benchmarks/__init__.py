"""Side by side against peers and against the plain way, one command each: `python -m benchmarks.fill`, `.pixels`."""
