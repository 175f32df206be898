"""What all floors stand on: files, locks, errors, words on the terminal."""
