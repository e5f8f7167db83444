"""From 2022 on: many crops a step, natural magnitudes, sums of resolutions."""

from dataclasses import replace

from featviz.optimizers import Adam, Chain, Cosine, Nadam, Scale
from featviz.parameterizations import Maco, Phase, Polar, RawPixels, Stack
from featviz.recipes.base import Recipe
from featviz.recipes.distill import default
from featviz.regularizers import (
    ChannelNoise,
    ClipRange,
    ColorShift,
    Fidelity,
    Noise,
    RandomCrop,
    Roll,
    ShrinkingCrop,
    UniformNoise,
    variation_norm,
)

# Pictures are larger than what the network sees of them: 32 crops a step, from half the picture down to a twentieth.
maco_2023 = Recipe(
    parameterization=Maco(),
    optimizer=Nadam(1.0),
    transforms=(ShrinkingCrop(out=224), Noise(0.08), UniformNoise(-0.04, 0.04)),
    samples=32,
    steps=256,
    size=512,
    redirect_steps=0,
    transparency=True,
    sources=("fel_2023",),
)

# Our own: a phase drawn from all angles has no burst in a corner, and the default's transforms need one view a step.
maco_uniform = replace(
    maco_2023,
    parameterization=Maco(Phase.UNIFORM),
    optimizer=Nadam(0.5),
    redirect_steps=16,
    sources=("featviz", "fel_2023"),
)

# Direct Ascent Synthesis: resolutions of 1 to 336, 16 augmented views, Adam's variant. Its rate of .1 is shared among
# the 57 resolutions of 224 px: Adam moves each by its rate, mostly the same way, and with .1 each their sum is black or
# white after a step (59 % of the values at GoogLeNet's inception_4c, and a fifth of the score in the end).
das_2025 = Recipe(
    parameterization=Stack(),
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
    parameterization=RawPixels(low=0.0, high=1.0),
    optimizer=Chain((Adam(0.1, b1=0.5, b2=0.99), Scale(Cosine()), ClipRange())),
    transforms=(Roll(32), ColorShift(), ChannelNoise(0.5)),
    penalty=-0.0005 * (3 * 224 * 224) ** 0.5 * variation_norm(),
    steps=400,
    size=224,
    redirect_steps=0,
    sources=("ghiasi_2022",),
)

# Our own: what a transformer sees through noise and shifted colors is a thing; without them its pictures drown in
# patterns of patches (experiments/class_visualization.py).
transformer = replace(
    default,
    transforms=(*default.transforms, ColorShift(), Noise(0.3, 0.05)),
    size=None,
    sources=("featviz", "ghiasi_2022"),
)

# From a photograph, as `start`; without one it accentuates noise of natural magnitudes, and is held to that. The paper
# leaves lambda, Fidelity's weight, to the user, and the authors' program the layer. Its 512 px and views of 224 px are
# those of that program (faccent, utils.py and render.py).
accentuation_2024 = Recipe(
    parameterization=Polar(),
    optimizer=Adam(0.05),
    transforms=(RandomCrop(0.05, 0.99, out=224), Noise(0.02)),
    samples=16,
    steps=100,
    size=512,
    redirect_steps=0,
    transparency=True,
    fidelity=Fidelity(1.0),
    sources=("hamblin_2024",),
)
