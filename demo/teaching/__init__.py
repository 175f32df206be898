"""What the small model is taught, and how it grows."""
