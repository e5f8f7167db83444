"""The recipes of 2009 to 2020 on pixels: the published constants."""

import numpy as np
import pytest

from featviz.ascent import Convergence
from featviz.optimizers import SGD, Linear, ProgressSGD
from featviz.parameterizations import RawPixels
from featviz.recipes import Carry, by_name
from featviz.regularizers import (
    BlurImage,
    ClipSmallContributions,
    ClipSmallNorms,
    Decay,
    NormalizeLaplacian,
    Roll,
)

BYTE = 1 / 255


def rules(recipe, kind):
    """The step rules of a kind, of a recipe or a stage."""
    return [rule for rule in recipe.optimizer.rules if isinstance(rule, kind)]


def test_simonyan_begins_at_the_mean_image_and_holds_its_norm():
    recipe = by_name("simonyan_2013")
    assert recipe.parameterization.sd == 0 and recipe.penalty.terms[0].power == 2 and recipe.penalty.weights[0] < 0


def test_erhan_ascends_from_noise_until_the_unit_stops_rising():
    recipe = by_name("erhan_2009")
    assert (recipe.parameterization, recipe.convergence) == (RawPixels(low=0.0, high=1.0), Convergence())


@pytest.mark.parametrize(
    "name, decay, blur, norm, contribution, steps, rate",
    [
        ("yosinski_2015_a", 0, (0.5, 4), 50, 0, 500, ProgressSGD(2.0, max_learning_rate=100 * BYTE**2)),
        ("yosinski_2015_b", 0.3, None, 20, 0, 750, SGD(100 * BYTE**2)),
        ("yosinski_2015", 1e-4, (1.0, 4), 0, 0, 1000, SGD(100 * BYTE**2)),
        ("yosinski_2015_d", 0, (0.5, 4), 0, 90, 1000, ProgressSGD(2.0, max_learning_rate=100 * BYTE**2)),
    ],
)
def test_yosinskis_four_sets(name, decay, blur, norm, contribution, steps, rate):
    recipe = by_name(name)
    assert [rule.rate for rule in rules(recipe, Decay)] == ([decay] if decay else [])
    assert [(rule.sigma.value, rule.every) for rule in rules(recipe, BlurImage)] == ([blur] if blur else [])
    assert [rule.percentile for rule in rules(recipe, ClipSmallNorms)] == ([norm] if norm else [])
    found = [rule.percentile for rule in rules(recipe, ClipSmallContributions)]
    assert found == ([contribution] if contribution else [])
    assert (recipe.steps, recipe.optimizer.rules[0]) == (steps, rate)
    assert recipe.parameterization.sd == pytest.approx(10 * BYTE)


def test_oygards_octaves():
    recipe = by_name("oygard_2015")
    assert recipe.parameterization == RawPixels(mean=200 * BYTE, sd=8 * BYTE)
    assert [stage.steps for stage in recipe.stages] == [190, 150, 150, 10] and recipe.steps == 500
    sizes = [round(323 * stage.scale) for stage in recipe.stages]
    assert sizes == [224, 269, 323, 323] and [round(size / 1.2) for size in sizes[1:3]] == [224, 269]
    blurs = [rules(stage, BlurImage)[0].sigma for stage in recipe.stages]
    assert blurs == [Linear(2.5, 0.78), Linear(0.936, 0.78), Linear(0.936, 0.44), Linear(0.44, 0.304)]
    # In bytes, for a gradient that is normalized over the window that was seen.
    sides = [224 / size for size in sizes]
    scales = [stage.optimizer.rules[2].schedule for stage in recipe.stages]
    found = [(s.start * 255 / side**2, s.end * 255 / side**2) for s, side in zip(scales, sides, strict=True)]
    np.testing.assert_allclose(found, [(11, 11), (6, 6), (6, 3), (3, 3)], rtol=1e-6)
    assert [stage.transforms[0].spread for stage in recipe.stages[1:]] == [0.3] * 3


def test_deepdreams_octaves():
    recipe = by_name("deepdream_2015")
    assert [round(1 / stage.scale, 3) for stage in recipe.stages] == [2.744, 1.96, 1.4, 1.0]
    assert {stage.steps for stage in recipe.stages} == {10} and recipe.carry is Carry.DETAIL
    assert recipe.transforms == (Roll(32),) and rules(recipe, SGD)[0].learning_rate == pytest.approx(1.5 * BYTE)


def test_the_tutorials():
    plain, octaves, laplacian = (by_name(f"tf_tutorial_2015{name}") for name in ("", "_multiscale", "_laplacian"))
    assert plain.steps == 20 and rules(plain, SGD)[0].learning_rate == pytest.approx(BYTE)
    assert [stage.steps for stage in octaves.stages] == [10, 10, 10] and octaves.carry is Carry.IMAGE
    assert [round(439 * stage.scale) for stage in octaves.stages] == [224, 314, 439]
    assert rules(laplacian, NormalizeLaplacian)[0] == NormalizeLaplacian(4, eps=1e-10)
    late = by_name("tf_tutorial_2020")
    assert [stage.steps for stage in late.stages] == [50] * 5
    assert late.stages[-1].scale / late.stages[-2].scale == pytest.approx(1.3)
    # The published .01 is of a range of 2.
    assert rules(late, SGD)[0].learning_rate == pytest.approx(0.01 / 2)
