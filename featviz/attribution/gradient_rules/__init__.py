"""Gradient rules under which gradient times activation is relevance (LRP and AttnLRP)."""
