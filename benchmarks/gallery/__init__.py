"""The gallery: edits of openly licensed pictures that packages carry, chosen before any result was seen."""
