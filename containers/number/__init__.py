"""What a container number is, and which one a text shows."""
