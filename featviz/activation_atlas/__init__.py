"""A layer's activations over photographs, laid out as a map of pictures (Carter et al. 2019, Activation Atlas)."""
