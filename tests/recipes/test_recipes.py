"""Recipes: the published constants, stages, displays, citations, and that each of them draws."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from scipy import ndimage

import featviz as fv
from featviz.ascent import Convergence
from featviz.ascent.outcome import Outcome
from featviz.cli.main import run
from featviz.errors import FeatvizError
from featviz.optimizers import SGD, Adam, Linear, Nadam, ProgressSGD
from featviz.parameterizations import MACO, Alpha, Fourier, FourierPhase, MultiResolution, Phase, RawPixels
from featviz.recipes import RECIPES, Carry, Recipe, Stage, by_name
from featviz.recipes.citations import BIBTEX, author, citation, year
from featviz.recipes.summaries import SUMMARIES
from featviz.regularizers import (
    Background,
    BlurImage,
    ClipSmallContributions,
    ClipSmallNorms,
    ColorShift,
    Decay,
    Fidelity,
    GaussianNoise,
    Jitter,
    NormalizeLaplacian,
    Pad,
    RandomAffine,
    RandomCrop,
    Roll,
    ShrinkingCrop,
    UniformNoise,
)
from featviz.rendering.stages import resize
from featviz.zoo.registry import outline

BYTE = 1 / 255


def rules(recipe, kind):
    """The step rules of a kind, of a recipe or a stage."""
    return [rule for rule in recipe.optimizer.rules if isinstance(rule, kind)]


def transforms(recipe, kind):
    return next(transform for transform in recipe.transforms if isinstance(transform, kind))


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


def test_distill_and_lucid():
    distill, lucid = by_name("distill_2017"), by_name("lucid")
    assert (distill.optimizer, distill.steps, distill.parameterization) == (Adam(0.05), 2560, Fourier())
    assert [type(transform) for transform in distill.transforms][:4] == [Pad, Jitter, RandomAffine, Jitter]
    assert transforms(distill, Pad).width == 16 and transforms(distill, Jitter).pixels == 16
    assert set(transforms(distill, RandomAffine).scales) == {1, 0.975, 1.025, 0.95, 1.05}
    assert transforms(distill, RandomAffine).degrees == tuple(range(-5, 6))
    assert (lucid.optimizer, lucid.steps, lucid.size) == (Adam(0.05), 512, 128)
    assert transforms(lucid, Pad) == Pad(12, fill=0.5) and transforms(lucid, Jitter) == Jitter(8)
    assert transforms(lucid, RandomAffine).scales == tuple(1 + (i - 5) / 50 for i in range(11))
    assert transforms(lucid, RandomAffine).degrees == (*range(-10, 11), 0, 0, 0, 0, 0)


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


@pytest.mark.parametrize("name", RECIPES)
def test_each_is_cited_and_whole(name):
    recipe = by_name(name)
    assert recipe.sources and set(recipe.sources) <= set(BIBTEX)
    assert all(f"{{{source}," in citation(recipe) for source in recipe.sources)
    assert not recipe.stages or recipe.steps == sum(stage.steps for stage in recipe.stages)
    assert getattr(fv.recipes, name) is recipe


def test_the_table_of_recipes(capsys):
    assert list(SUMMARIES) == list(RECIPES)
    run(["recipes"])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 110
    for name, recipe in RECIPES.items():
        (line,) = [line for line in lines if line.split()[0] == name]
        assert line.split()[1] == year(recipe.sources[0]) and str(recipe.steps) in line
        assert line.endswith(author(recipe.sources[0]))
    run(["recipes", "maco_2023"])
    assert capsys.readouterr().out == citation(by_name("maco_2023")) + "\n"
    assert "Fel, Thomas" in citation(by_name("maco_2023"))
    with pytest.raises(SystemExit) as stop:
        run(["recipes", "lucit"])
    assert stop.value.code == 2 and "did you mean `lucid`" in capsys.readouterr().err


def test_an_unknown_one_is_refused():
    with pytest.raises(FeatvizError, match="did you mean `lucid`"):
        by_name("lucd")


@pytest.mark.parametrize("name", RECIPES)
def test_each_draws(name, patterns):
    recipe = by_name(name)
    # Views of a size of their own are as large as the pictures here.
    small = tuple(
        replace(t, output_size=32) if isinstance(t, ShrinkingCrop | RandomCrop) else t for t in recipe.transforms
    )
    recipe = replace(recipe, transforms=small, samples=min(recipe.samples, 2))
    size = 64 if any(isinstance(t, Jitter | Pad) for t in recipe.transforms) else 40
    picture = fv.render(patterns, fv.channel("conv2", 3), recipe=recipe, size=size, steps=12, progress=False)
    assert picture.outcome in (Outcome.OUT_OF_STEPS, Outcome.CONVERGED)
    assert picture.pixels.shape == (size, size, 3) and np.isfinite(picture.pixels).all()
    assert picture.pixels.min() >= 0 and picture.pixels.max() <= 1 and picture.pixels.std() > 0.01
    # Shared out among stages, steps are rounded.
    assert len(picture.history) == 12 or recipe.stages
    assert (picture.alpha is not None) == recipe.transparency


class TestStages:
    recipe = Recipe(
        parameterization=RawPixels(sd=0.1),
        optimizer=SGD(0.0),
        steps=4,
        redirect_steps=0,
        stages=(Stage(0.5, 2), Stage(1.0, 2)),
    )

    def draw(self, patterns, recipe, **options):
        return fv.render(patterns, fv.channel("conv1", 3), recipe=recipe, size=32, progress=False, **options)

    def test_without_steps_an_image_is_enlarged_and_a_detail_is_nothing(self, patterns):
        start = np.random.default_rng(0).random((32, 32, 3), np.float32)
        image = self.draw(patterns, self.recipe, start=start).pixels
        np.testing.assert_allclose(image, resize(resize(start[None], (16, 16)), (32, 32))[0], atol=1e-6)
        detail = self.draw(patterns, replace(self.recipe, carry=Carry.DETAIL), start=start).pixels
        np.testing.assert_allclose(detail, start, atol=1e-6)

    def test_all_stages_are_in_the_history_and_draw_anew(self, patterns):
        moving = replace(self.recipe, optimizer=Adam(0.01), transforms=(GaussianNoise(0.5),))
        picture = self.draw(patterns, moving, steps=8)
        assert len(picture.history) == 8 and picture.history[4] != picture.history[0]

    def test_a_picture_is_the_same_alone_and_among_others(self, patterns):
        moving = replace(self.recipe, optimizer=Adam(0.01), carry=Carry.DETAIL)
        options = {"recipe": moving, "size": 32, "progress": False}
        several = fv.render(patterns, fv.channel("conv1", range(5)), **options)
        for number in (0, 3, 4):
            alone = fv.render(patterns, fv.channel("conv1", number), **options)
            np.testing.assert_array_equal(alone.pixels, several[number].pixels)
            np.testing.assert_array_equal(alone.history, several[number].history)

    def test_resizing_is_scipys(self):
        images = np.random.default_rng(0).random((2, 7, 9, 3)).astype(np.float32)
        np.testing.assert_allclose(resize(images, (14, 9)), ndimage.zoom(images, (1, 2, 1, 1), order=1), atol=1e-6)


def test_transparency_shows_where_the_gradient_was(patterns):
    # Only the left half of the picture is seen.
    from featviz.regularizers import Window

    recipe = replace(fv.recipes.default, transforms=(Window(0.5, spread=0.0),), parameterization=RawPixels(sd=0.1))
    picture = fv.render(
        patterns, fv.channel("conv1", 3), recipe=recipe, size=64, steps=8, transparency=True, progress=False
    )
    inside = picture.alpha[16:48, 16:48]
    assert inside.mean() > 0.5 and picture.alpha.sum() == pytest.approx(inside.sum())
    bare = fv.render(patterns, fv.channel("conv1", 3), recipe=recipe, size=64, steps=8, progress=False)
    np.testing.assert_array_equal(bare.pixels, picture.pixels)


def test_a_group_is_drawn_together(patterns):
    options = {"size": 32, "steps": 8, "progress": False}
    pictures = fv.render_group(patterns, fv.channel("conv2", 3), group_size=3, **options)
    assert len({picture.pixels.tobytes() for picture in pictures}) == 3
    assert [picture.provenance["image"] for picture in pictures] == [0, 1, 2]
    assert all(picture.score > picture.history[0] for picture in pictures)


class TestAlpha:
    recipe = Recipe(
        parameterization=Alpha(), transforms=(Background(), Roll(4)), optimizer=Adam(0.05), steps=24, redirect_steps=0
    )

    def test_the_picture_has_an_alpha_of_its_own(self, patterns):
        picture = fv.render(patterns, fv.channel("conv2", 3), recipe=self.recipe, size=48, progress=False)
        assert picture.pixels.shape == (48, 48, 3) and picture.alpha.shape == (48, 48)
        assert picture.alpha.min() >= 0 and picture.alpha.max() <= 1
        # Of what is seen over gray.
        seen = picture.pixels * picture.alpha[..., None] + 0.5 * (1 - picture.alpha[..., None])
        found = patterns.apply(patterns.weights, seen[None].astype(np.float32), layers=("conv2",))
        assert picture.score == pytest.approx(float(fv.channel("conv2", 3)(found)[0]), rel=1e-3)
        assert picture.score > picture.history[0]

    def test_what_the_unit_does_not_need_becomes_transparent(self, patterns):
        neuron = fv.neuron("conv1", 3, position=(8, 8))
        picture = fv.render(patterns, neuron, recipe=self.recipe, size=48, steps=64, progress=False)
        near, far = picture.alpha[12:22, 12:22].mean(), picture.alpha[32:, 32:].mean()
        assert far < near

    def test_without_a_background_it_is_refused(self, patterns):
        bare = replace(self.recipe, transforms=())
        with pytest.raises(FeatvizError, match="needs `Background"):
            fv.render(patterns, fv.channel("conv2", 3), recipe=bare, size=48, progress=False)


def test_a_network_of_tokens_has_a_recipe_of_its_own():
    assert fv.recipes.default_recipe(outline("patterns")) == by_name("default")
    # Attention in its pooling alone does not make a network one of tokens.
    assert fv.recipes.default_recipe(outline("clip_resnet50")) == by_name("default")
    for name in ("deit_tiny", "dinov2_small", "siglip_base", "clip_vit_b16"):
        assert fv.recipes.default_recipe(outline(name)) == by_name("transformer")


def dense(side):
    """A network of images of one size alone: behind its convolution is a dense layer."""

    def forward(weights, images):
        x = jax.nn.relu(jax.lax.conv(images.transpose(0, 3, 1, 2), weights["kernel"], (1, 1), "SAME"))
        return {"conv": x.transpose(0, 2, 3, 1), "dense": x.reshape(len(x), -1) @ weights["dense"]}

    keys = jax.random.split(jax.random.key(0))
    weights = {
        "kernel": jax.random.normal(keys[0], (2, 3, 3, 3)),
        "dense": jax.random.normal(keys[1], (2 * side * side, 4)),
    }
    return fv.from_function(forward, weights, input=fv.InputSpec(size=(side, side)))


@pytest.mark.parametrize(
    "side, layer, size",
    [(8, "conv", 16), (40, "conv", 80), (100, "conv", 128), (224, "conv", 128), (8, "dense", 8), (16, "dense", 16)],
)
def test_pictures_fit_the_networks_size_where_none_is_told(side, layer, size):
    picture = fv.render(dense(side), fv.channel(layer, 1), steps=1, progress=False)
    assert picture.pixels.shape == (size, size, 3) and picture.provenance["size"] == [size, size]


def test_a_recipe_without_a_size_takes_the_networks(deit):
    picture = fv.render(deit, fv.logit(340), steps=1, progress=False)
    assert picture.pixels.shape == (224, 224, 3)
    assert picture.provenance["command"].startswith(
        "featviz render deit_tiny logit:340 --weights deit_tiny_patch16_224.safetensors --recipe transformer --size 224"
    )
