"""Pictures under a natural prior: a denoiser that has learned from photographs what images look like."""

from dataclasses import replace

from featviz.optimizers import SGD, Chain
from featviz.parameterizations import NaturalPixels
from featviz.priors import Denoised, Guided
from featviz.recipes.base import Recipe
from featviz.recipes.distill import default
from featviz.regularizers import ClipRange

# Our own: an image is drawn from the denoiser, from noise on, guided by the objective. One step is one noise level with
# one gradient. Noise of level 2.4 hides small shapes only: from gray the largest ones would keep a twentieth of their
# power at 224 px, and pictures were pale. The prior sets the size of each move.
guided = Recipe(
    summary="drawn from a denoiser of photographs, noise level by noise level, guided by the objective",
    parameterization=NaturalPixels(),
    optimizer=Chain((SGD(1.0), ClipRange())),
    transforms=default.transforms,
    steps=96,
    prior=Guided(),
    sources=("featviz", "dhariwal_2021", "karras_2022", "nguyen_2017"),
)

denoised = replace(
    default,
    summary="as default, and towards what a denoiser of photographs makes of the picture",
    prior=Denoised(),
    sources=("featviz", "romano_2017", "nguyen_2016"),
)
