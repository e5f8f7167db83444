"""Transforms that a picture must survive."""
