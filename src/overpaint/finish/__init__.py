"""What happens to painted pixels before they are pasted: colour and seam correction."""
