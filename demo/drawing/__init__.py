"""A yard of containers, drawn as a camera would see it."""
