"""One file an architecture; layers and weights have the names of the original code."""
