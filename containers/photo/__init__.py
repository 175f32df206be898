"""Photos, the windows on them, and the search for a number."""
