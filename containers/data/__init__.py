"""Labels and results: what people edit, and what the commands write."""
