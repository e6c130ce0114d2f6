"""What every door shares, be it the command line, the batch runner or a server.

From paths, uploads and options to a picture, a mask, a sketch and a request; names of outputs; words for errors.
Nothing heavy is imported before it is needed.
"""

__all__: list[str] = []
