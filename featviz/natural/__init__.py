"""Natural images: the survey of what they do to every unit, and the evidence that they give about pictures."""
