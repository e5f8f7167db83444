"""Step rules: optax transformations that keep an image smooth or sparse."""
