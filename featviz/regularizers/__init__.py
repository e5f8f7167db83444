"""What keeps a picture natural: transforms that it must survive, step rules, penalties on it."""

from featviz.regularizers.fidelity import Fidelity
from featviz.regularizers.penalties.image_penalties import (
    blur_difference,
    frequency_power,
    l1,
    l2,
    total_variation,
    variation_norm,
)
from featviz.regularizers.steps.decay import (
    IMAGENET_MEAN,
    ClipRange,
    ClipSmallContributions,
    ClipSmallNorms,
    Decay,
    NormBall,
)
from featviz.regularizers.steps.frequency import Bilateral, BlurGradient, BlurImage, NormalizeLaplacian
from featviz.regularizers.transforms.crops import (
    Background,
    ChannelNoise,
    ColorShift,
    RandomCrop,
    ShrinkingCrop,
    UniformNoise,
    over_gray,
)
from featviz.regularizers.transforms.geometric import (
    Affine,
    Crop,
    Jitter,
    Noise,
    Pad,
    Roll,
    Transform,
    compose,
    view_shape,
)
from featviz.regularizers.transforms.window import Window

__all__ = [
    "IMAGENET_MEAN",
    "Affine",
    "Background",
    "Bilateral",
    "BlurGradient",
    "BlurImage",
    "ChannelNoise",
    "ClipRange",
    "ClipSmallContributions",
    "ClipSmallNorms",
    "ColorShift",
    "Crop",
    "Decay",
    "Fidelity",
    "Jitter",
    "Noise",
    "NormBall",
    "NormalizeLaplacian",
    "Pad",
    "RandomCrop",
    "Roll",
    "ShrinkingCrop",
    "Transform",
    "UniformNoise",
    "Window",
    "blur_difference",
    "compose",
    "frequency_power",
    "l1",
    "l2",
    "over_gray",
    "total_variation",
    "variation_norm",
    "view_shape",
]
