"""From 2022 on: many crops a step, natural magnitudes, many resolutions at once, transformers."""

from dataclasses import replace

from featviz.optimizers import Adam, Chain, Cosine, Nadam, ScaleBySchedule
from featviz.parameterizations import MACO, FourierPhase, MultiResolution, Phase, RawPixels
from featviz.recipes.base import Recipe
from featviz.recipes.distill import default
from featviz.regularizers import (
    ChannelNoise,
    ClipRange,
    ColorShift,
    Fidelity,
    GaussianNoise,
    RandomCrop,
    Roll,
    ShrinkingCrop,
    UniformNoise,
    variation_norm,
)

# Pictures are larger than what the network sees of them: 32 crops a step, from half the picture down to a twentieth.
maco_2023 = Recipe(
    summary="phases, with natural magnitudes; 32 crops a step",
    parameterization=MACO(),
    optimizer=Nadam(1.0),
    transforms=(ShrinkingCrop(output_size=224), GaussianNoise(0.08), UniformNoise(-0.04, 0.04)),
    samples=32,
    steps=256,
    size=512,
    redirect_steps=0,
    transparency=True,
    sources=("fel_2023",),
)

# Our own: uniform phases have no burst in a corner.
maco_uniform = replace(
    maco_2023,
    summary="as maco_2023, from uniform phases",
    parameterization=MACO(Phase.UNIFORM),
    optimizer=Nadam(0.5),
    redirect_steps=16,
    sources=("featviz", "fel_2023"),
)

# Direct Ascent Synthesis: resolutions of 1 to 336, 16 augmented views, Adam's variant. Its rate of .1 is shared among
# the 57 resolutions of 224 px: Adam moves each by its rate, mostly the same way, and with .1 each their sum is black or
# white after a step (59 % of the values at GoogLeNet's inception_4c, and a fifth of the score in the end).
das_2025 = Recipe(
    summary="a sum of images of all sizes; 16 views a step",
    parameterization=MultiResolution(),
    optimizer=Adam(0.1 / 57),
    transforms=(Roll(56), UniformNoise(0.0, 0.2)),
    samples=16,
    steps=100,
    size=224,
    redirect_steps=0,
    sources=("das_2025",),
)

# The published total variation is the norm of all differences in four directions, times .0005 at 224 px.
vit_2022 = Recipe(
    summary="pixels, with a total variation penalty, through noise and shifted colors",
    parameterization=RawPixels(low=0.0, high=1.0),
    optimizer=Chain((Adam(0.1, b1=0.5, b2=0.99), ScaleBySchedule(Cosine()), ClipRange())),
    transforms=(Roll(32), ColorShift(), ChannelNoise(0.5)),
    penalty=-0.0005 * (3 * 224 * 224) ** 0.5 * variation_norm(),
    steps=400,
    size=224,
    redirect_steps=0,
    sources=("ghiasi_2022",),
)

# Our own: through noise and shifted colors a transformer's pictures show objects; without them patterns of patches
# cover everything (experiments/class_visualization.py).
transformer = replace(
    default,
    summary="as default, through noise and shifted colors",
    transforms=(*default.transforms, ColorShift(), GaussianNoise(0.3, 0.05)),
    size=None,
    sources=("featviz", "ghiasi_2022"),
)

# Of an objective that `vital` makes of photographs, 224 px as the authors' networks take. They optimize what the
# network gets after its normalization, by 1.0 a step from noise of deviation 1; in units of the image that is the
# deviation of photographs, .225. The first of their 2000 steps, where the rate rises over 100, take the full rate here,
# and ReLUs that the noise silences let its gradient through: the unit's own activation would stay 0.
vital_2025 = Recipe(
    summary="pixels, to the statistics of photographs (`vital`, --references)",
    parameterization=RawPixels(mean=(0.485, 0.456, 0.406), sd=0.225),
    optimizer=Chain((Adam(0.225, b1=0.5, b2=0.9), ScaleBySchedule(Cosine()), ClipRange())),
    transforms=(Roll(30),),
    steps=2000,
    size=224,
    redirect_steps=100,
    transparency=True,
    sources=("gorgun_2025",),
)

# From a photograph, as `start`; without one it accentuates noise of natural magnitudes, and stays close to it. The
# paper leaves lambda, Fidelity's weight, to the user, and the authors' program the layer. Its 512 px and views of
# 224 px are those of that program (faccent, utils.py and render.py).
accentuation_2024 = Recipe(
    summary="a photograph's phases, held close to it; 16 crops a step",
    parameterization=FourierPhase(),
    optimizer=Adam(0.05),
    transforms=(RandomCrop(0.05, 0.99, output_size=224), GaussianNoise(0.02)),
    samples=16,
    steps=100,
    size=512,
    redirect_steps=0,
    transparency=True,
    fidelity=Fidelity(1.0),
    sources=("hamblin_2024",),
)
