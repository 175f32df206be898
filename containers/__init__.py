"""What a container number is: on photos, in labels, in result files; no torch."""
