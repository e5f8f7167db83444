"""The zoo: one file an architecture, a registry, and the reading of weights."""
