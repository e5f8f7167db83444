"""Whether a network gets its images as it was trained."""
