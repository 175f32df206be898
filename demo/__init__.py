"""Draw photos of containers, and teach the small model with them."""
