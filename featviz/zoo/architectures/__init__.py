"""Architectures, one module for each family; layers and weights have the names of the original code."""
