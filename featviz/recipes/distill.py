"""2017 and 2018: decorrelated Fourier coefficients, and pictures that must survive transforms; featviz's default."""

from featviz.optimizers import Adam
from featviz.parameterizations import Fourier
from featviz.recipes.base import Recipe
from featviz.regularizers import CenterCrop, Jitter, Pad, RandomAffine

# Fourier decay above the published 1 lets colors and large shapes saturate within few steps; transforms that
# fade away give back the finest detail. Both raised the clean score on every layer tried, and the look with it. With
# b1 = .5, 128 of Adam's steps score what 192 did with .9 (experiments/picture_scores.py), also under blur, JPEG and
# changes of scale that the optimization never saw; larger or falling learning rates, Lion, normalized gradients and
# a rate for each frequency scored less in as many steps, or saturated the colors. Nor do pictures of nearby settings
# predict photographs better in comparable time (benchmarks/evidence.py --choose).
default = Recipe(
    summary="decorrelated Fourier coefficients; transforms that fade away",
    parameterization=Fourier(decay=1.25),
    optimizer=Adam(0.05, b1=0.5),
    transforms=(
        RandomAffine(scales=(0.9, 1.1), degrees=(-10.0, 10.0), translation=8.0, uniform=True, end_strength=0.0),
    ),
    steps=128,
    sources=("featviz", "olah_2017"),
)

# lucid, optvis/transform.py, standard_transforms; 512 steps: optvis/render.py, render_vis.
lucid = Recipe(
    summary="decorrelated Fourier coefficients; four transforms",
    transforms=(
        Pad(12, fill=0.5),
        Jitter(8),
        RandomAffine(
            scales=tuple(1 + (i - 5) / 50 for i in range(11)),
            degrees=(*(float(d) for d in range(-10, 11)), 0.0, 0.0, 0.0, 0.0, 0.0),
        ),
        Jitter(4),
    ),
    steps=512,
    sources=("lucid", "olah_2017"),
)

distill_2017 = Recipe(
    summary="decorrelated Fourier coefficients; five transforms",
    transforms=(
        Pad(16, fill=0.5),
        Jitter(16),
        RandomAffine(scales=(1.0, 0.975, 1.025, 0.95, 1.05), degrees=tuple(float(d) for d in range(-5, 6))),
        Jitter(8),
        CenterCrop(4),
    ),
    steps=2560,
    redirect_steps=0,
    sources=("olah_2017",),
)
