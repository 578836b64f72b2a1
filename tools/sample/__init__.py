"""Owns how the embedded synthetic sample is drawn."""
