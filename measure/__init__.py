"""Measure any model on labelled photos."""
