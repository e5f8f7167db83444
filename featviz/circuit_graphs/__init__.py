"""A unit's circuit: what it is made of, verified by ablation on photos, as a graph and its page."""
