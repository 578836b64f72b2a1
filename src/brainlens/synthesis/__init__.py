"""Owns the judgement of synthetic images: how good they are, and whether they help."""
