"""An original and what was made of it: layers, comparisons, exports."""
