"""Measure any model on labelled photos, and how fast the scripts are; make the pictures."""
