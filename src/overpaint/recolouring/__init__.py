"""Recolouring: another colour for an object, with its shading, highlights and texture as they are.

`words` finds the wanted colour in a text, `own_colour` the object's own colour under a mask, `belonging` the pixels
that have it, `repaint` gives them the other in linear light, and `edges` mixes pixels along the object's edge anew.
Colours are compared in OKLab.
"""

__all__: list[str] = []
