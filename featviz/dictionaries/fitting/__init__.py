"""Fitting dictionaries: activations harvested, autoencoders trained, others fitted, and how well they fit."""
