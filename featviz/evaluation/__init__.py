"""What natural images and other networks say of a picture."""
