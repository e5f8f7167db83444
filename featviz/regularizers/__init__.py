"""What keeps a picture natural."""

from featviz.regularizers.penalties import frequency_power, l1, l2, total_variation
from featviz.regularizers.robustness import Affine, Crop, Jitter, Noise, Pad, Roll, Transform, compose

__all__ = [
    "Affine",
    "Crop",
    "Jitter",
    "Noise",
    "Pad",
    "Roll",
    "Transform",
    "compose",
    "frequency_power",
    "l1",
    "l2",
    "total_variation",
]
