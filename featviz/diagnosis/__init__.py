"""Whether a network that was brought along is taken as it was trained: its input above all."""
