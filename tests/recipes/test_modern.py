"""The recipes from 2022 on: the published constants."""

import jax
import pytest

from featviz.optimizers import Adam, Linear, Nadam
from featviz.parameterizations import MACO, FourierPhase, MultiResolution, Phase
from featviz.recipes import by_name
from featviz.regularizers import (
    ColorShift,
    Fidelity,
    GaussianNoise,
    RandomCrop,
    Roll,
    ShrinkingCrop,
    UniformNoise,
)


def transforms(recipe, kind):
    return next(transform for transform in recipe.transforms if isinstance(transform, kind))


def test_maco():
    recipe = by_name("maco_2023")
    assert (recipe.optimizer, recipe.steps, recipe.samples) == (Nadam(1.0), 256, 32)
    crop = transforms(recipe, ShrinkingCrop)
    assert (crop.side, crop.side_sd, crop.center_sd, crop.min_side) == (Linear(0.5, 0.05), 0.05, 0.15, 0.05)
    assert transforms(recipe, GaussianNoise) == GaussianNoise(0.08) and transforms(
        recipe, UniformNoise
    ) == UniformNoise(-0.04, 0.04)
    assert recipe.parameterization == MACO(Phase.STANDARDIZED) and recipe.transparency
    assert by_name("maco_uniform").parameterization == MACO(Phase.UNIFORM)


def test_das_and_the_transformers():
    das, vit = by_name("das_2025"), by_name("vit_2022")
    assert (das.parameterization, das.steps, das.samples) == (MultiResolution(stride=4), 100, 16)
    # Adam's published .1, shared among the resolutions that all move at once.
    resolutions = MultiResolution().init(jax.random.key(0), (1, 224, 224, 3)).shape[1]
    assert das.optimizer == Adam(0.1 / resolutions)
    assert das.transforms == (Roll(56), UniformNoise(0.0, 0.2))
    assert vit.optimizer.rules[0] == Adam(0.1, b1=0.5, b2=0.99) and vit.steps == 400
    assert transforms(vit, Roll) == Roll(32) and transforms(vit, ColorShift) == ColorShift(1.0, 1.0)
    # .0005 times a norm of 3 * 224 * 224 differences.
    assert vit.penalty.weights[0] == pytest.approx(-0.0005 * 388, rel=1e-3)


def test_accentuation():
    recipe = by_name("accentuation_2024")
    assert (recipe.optimizer, recipe.steps, recipe.samples) == (Adam(0.05), 100, 16)
    assert recipe.transforms == (RandomCrop(0.05, 0.99, output_size=224), GaussianNoise(0.02))
    assert (recipe.parameterization, recipe.fidelity) == (FourierPhase(), Fidelity(1.0))
