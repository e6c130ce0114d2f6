"""The engine of erasers: networks that fill a hole from its surroundings, without a prompt."""
