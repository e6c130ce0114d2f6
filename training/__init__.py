"""How the models that the program carries are made; not part of the installed package."""
