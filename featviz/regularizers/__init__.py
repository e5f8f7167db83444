"""What keeps a picture natural."""

from featviz.regularizers.robustness import Affine, Crop, Jitter, Noise, Pad, Roll, Transform, compose

__all__ = ["Affine", "Crop", "Jitter", "Noise", "Pad", "Roll", "Transform", "compose"]
