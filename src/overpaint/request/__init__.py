"""What was asked, and what was made of it."""
