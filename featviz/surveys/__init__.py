"""Natural images: the survey of what they do to every unit, its statistics and exemplars."""
