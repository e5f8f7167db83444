"""Penalties on the picture."""
