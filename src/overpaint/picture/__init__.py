"""Pictures: read, write, depth, colour, metadata."""
