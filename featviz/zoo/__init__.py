"""The zoo: architectures, one module for each family, a registry, and the reading of official weights."""
