"""The traced program of a network: one walker, and what is found in it."""
