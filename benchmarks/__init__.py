"""Benchmarks against peers and plain implementations, one command each: `python -m benchmarks.fill`, `.pixels`."""
