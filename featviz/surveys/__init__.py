"""Natural images: each unit's largest activations on them, their statistics, receptive fields and exemplars."""
