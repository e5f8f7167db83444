"""Fidelity: pictures kept close to their start, by hand, by sign and lane by lane; and FourierPhase with it."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support.tiny import Tiny, build

from featviz.ascent.lane_keys import lane_key
from featviz.cli.options.recipe_options import with_fidelity
from featviz.errors import FeatvizError
from featviz.model import IMAGE
from featviz.objectives import channel, logit
from featviz.optimizers import Adam, Custom
from featviz.parameterizations import FourierPhase, RawPixels
from featviz.pictures.command import recipe_options
from featviz.recipes import Recipe, Stage, accentuation_2024, default
from featviz.regularizers import Fidelity, GaussianNoise, RandomCrop, Roll, UniformNoise, compose, total_variation
from featviz.rendering.render import render, render_each

MODEL = build()
PHOTO = np.random.default_rng(4).uniform(0.2, 0.8, (16, 16, 3)).astype(np.float32)
HELD = Recipe(
    parameterization=RawPixels(),
    optimizer=Custom("ascent", lambda: optax.sgd(2.0)),
    transforms=(Roll(3), GaussianNoise(0.05)),
    samples=2,
    size=16,
    steps=3,
    redirect_steps=0,
    fidelity=Fidelity(0.7),
)
UNIT = channel("conv2/relu", 3)


def draw(objective=UNIT, recipe=HELD, **options):
    return render(MODEL, objective, recipe=recipe, **{"start": PHOTO, "progress": False, **options})


def conv2(images):
    _, captured = Tiny().apply(MODEL.weights, images, capture_intermediates=True, mutable="intermediates")
    return jax.nn.relu(captured["intermediates"]["conv2"]["__call__"][0])


def by_hand(weight, *, steps=3, rate=2.0):
    """Ascent in a plain loop on flax's own network: the picture and each step's distance."""
    key, image, ratio, distances = lane_key(0, UNIT), jnp.asarray(PHOTO), None, []

    def views(image, step, *, again):
        for view in range(2):
            own = [jax.random.fold_in(jax.random.fold_in(jax.random.fold_in(key, step), view), at) for at in (0, 1)]
            noise = jax.random.fold_in(own[1], 1) if again else own[1]
            yield GaussianNoise(0.05)(noise, Roll(3)(own[0], image, 0.0), 0.0)

    @jax.jit
    def unit(image, step):
        return jnp.mean(conv2(jnp.stack(list(views(image, step, again=False))))[..., 3])

    @jax.jit
    def far(image, step):
        ours, theirs = (
            conv2(jnp.stack(list(views(each, step, again=again)))) for each, again in ((image, False), (PHOTO, True))
        )
        return jnp.mean(jnp.sqrt(jnp.sum((ours - theirs) ** 2, axis=-1) + 1e-12))

    rises, leaves = jax.jit(jax.grad(unit)), jax.jit(jax.grad(far))
    for step in range(steps):
        step_gradient, leave = rises(image, step), leaves(image, step)
        ratio = jnp.abs(step_gradient).sum() / jnp.abs(leave).sum() if ratio is None else ratio
        distances.append(float(far(image, step)))
        image = image + rate * (step_gradient - weight * ratio * leave)
    return np.asarray(image), distances


def test_it_is_the_formula_written_by_hand():
    expected, distances = by_hand(0.7)
    picture = draw()
    np.testing.assert_allclose(picture.pixels, expected, atol=2e-5)
    assert min(distances) > 0
    assert np.abs(picture.pixels - PHOTO).max() > 1e-3


def test_without_weight_it_is_as_without_fidelity():
    bare, none = draw(recipe=replace(HELD, fidelity=None)), draw(recipe=replace(HELD, fidelity=Fidelity(0.0)))
    np.testing.assert_array_equal(none.pixels, bare.pixels)
    np.testing.assert_array_equal(none.history, bare.history)


def test_the_heavier_the_nearer_to_the_photograph():
    wide = replace(HELD, optimizer=Adam(0.01), steps=40, transforms=(GaussianNoise(0.01),))
    away, scores = [], []
    for weight in (0.0, 1.0, 30.0):
        picture = draw(recipe=replace(wide, fidelity=Fidelity(weight)))
        found, wanted = (np.asarray(conv2(jnp.asarray(each)[None])) for each in (picture.pixels, PHOTO))
        away.append(float(np.linalg.norm(found - wanted, axis=-1).mean()))
        scores.append(picture.score)
    assert away[2] < 0.25 * away[0] and away[0] > away[1] > away[2]
    assert scores[0] > scores[1] > scores[2]


def test_a_held_picture_is_the_same_alone_and_among_others():
    held = replace(HELD, steps=20, optimizer=Adam(0.02))
    several = draw([channel("conv2/relu", unit) for unit in range(5)], held)
    for number in (0, 3, 4):
        alone = draw(channel("conv2/relu", number), held)
        np.testing.assert_array_equal(alone.pixels, several[number].pixels)
        np.testing.assert_array_equal(alone.history, several[number].history)


def test_without_noise_the_balance_waits_for_the_first_way_off():
    still = replace(HELD, transforms=(), steps=1)
    free = replace(still, fidelity=None)
    np.testing.assert_allclose(draw(recipe=still).pixels, draw(recipe=free).pixels, atol=1e-6)
    later = draw(recipe=replace(still, steps=4)).pixels
    assert np.abs(later - draw(recipe=replace(free, steps=4)).pixels).max() > 1e-4


def test_from_noise_it_holds_to_its_own_start():
    heavy, free = (
        render(MODEL, UNIT, recipe=replace(HELD, fidelity=fidelity, optimizer=Adam(0.01), steps=30), progress=False)
        for fidelity in (Fidelity(30.0), None)
    )
    assert np.abs(heavy.pixels - 0.5).mean() < 0.5 * np.abs(free.pixels - 0.5).mean()


def test_a_group_and_an_attribution():
    from featviz.rendering.render import render_group

    recipe = replace(HELD, transparency=True)
    pictures = render_group(MODEL, UNIT, recipe=recipe, group_size=2, start=PHOTO, progress=False)
    assert [picture.alpha.shape for picture in pictures] == [(16, 16)] * 2
    np.testing.assert_array_equal(draw(recipe=recipe).pixels, draw().pixels)


def test_the_layers_held_are_the_objectives_own_or_the_one_named():
    assert Fidelity().layers(UNIT - 0.5 * total_variation()) == ("conv2/relu",)
    assert Fidelity().layers(total_variation()) == (IMAGE,)
    assert Fidelity(layer="conv1").layers(UNIT) == ("conv1",)
    named, own = (draw(logit(2), replace(HELD, fidelity=Fidelity(layer=layer))) for layer in ("conv1", None))
    assert np.abs(named.pixels - own.pixels).max() > 1e-4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fidelity": Fidelity(-1.0)}, "`fidelity` has the weight -1.0; expected a number of 0 or more"),
        ({"fidelity": Fidelity(float("nan"))}, "`fidelity` has the weight nan"),
        ({"fidelity": Fidelity(layer="conv3")}, "tiny has no layer `conv3`; did you mean"),
        ({"stages": (Stage(0.5, 2), Stage(1.0, 2))}, "`recipe` has stages and fidelity to its start"),
    ],
)
def test_what_makes_no_sense_is_refused(change, message):
    with pytest.raises(FeatvizError) as caught:
        render_each(MODEL, [UNIT], recipe=replace(HELD, **change), progress=False)
    assert str(caught.value).startswith(message)


def test_the_command_line_holds_by_a_weight():
    held = accentuation_2024
    assert recipe_options("accentuation_2024", with_fidelity(held, 0.5)) == [
        "--recipe",
        "accentuation_2024",
        "--fidelity",
        "0.5",
    ]
    assert recipe_options("accentuation_2024", with_fidelity(held, 0.0)) == [
        "--recipe",
        "accentuation_2024",
        "--fidelity",
        "0",
    ]
    assert recipe_options("default", with_fidelity(default, 2.0)) == ["--recipe", "default", "--fidelity", "2"]
    assert recipe_options("default", with_fidelity(default, 0.0)) == ["--recipe", "default"]
    assert recipe_options("default", replace(default, fidelity=Fidelity(layer="conv1"))) is None


def test_other_noise_leaves_the_view_as_it_is():
    image = jnp.asarray(PHOTO)
    for transforms, alike in [((Roll(5), RandomCrop(0.3, 0.6)), True), ((Roll(5), UniformNoise(0.0, 0.1)), False)]:
        one, other = (compose(transforms, other_noise=again)(jax.random.key(1), image, 0.0) for again in (False, True))
        assert bool(jnp.all(one == other)) is alike
        np.testing.assert_allclose(one, other, atol=0.1)


class TestPolar:
    def test_its_magnitudes_stay_those_of_the_start(self):
        recipe = replace(HELD, parameterization=FourierPhase(), optimizer=Adam(0.1), fidelity=None, steps=30)
        picture = draw(recipe=recipe)
        assert np.abs(picture.pixels - PHOTO).max() > 0.05
        polar = FourierPhase()
        before, after = (
            np.asarray(polar.from_image(jnp.asarray(each)[None]).magnitude) for each in (PHOTO, picture.pixels)
        )
        # A gate can take away, nothing can be added: 1 / sigmoid(5) of the start's at most.
        inside = before[:, :, 1:-1]
        assert (after[:, :, 1:-1] <= inside * 1.02 + 0.05).all()

    def test_it_begins_at_the_photograph(self):
        polar = FourierPhase()
        back = polar.to_image(polar.from_image(jnp.asarray(PHOTO)[None]), (1, 16, 16, 3))[0]
        # 1 - sigmoid(5) of its contrast is missing.
        np.testing.assert_allclose(back, PHOTO, atol=0.01)

    def test_noise_has_natural_magnitudes(self):
        polar = FourierPhase()
        image = np.asarray(polar.to_image(polar.init(jax.random.key(0), (1, 32, 32, 3)), (1, 32, 32, 3)))[0]
        power = np.abs(np.fft.rfft2(image.mean(-1))) ** 2
        assert power[1:4, 1:4].mean() > 20 * power[10:16, 10:16].mean()


def test_accentuation_changes_a_photograph_and_keeps_it(patterns):
    start = np.random.default_rng(0).uniform(0.3, 0.7, (8, 8, 3)).repeat(6, axis=0).repeat(6, axis=1).astype(np.float32)
    recipe = replace(
        accentuation_2024, transforms=(RandomCrop(0.5, 0.99, output_size=32), GaussianNoise(0.02)), samples=4
    )
    picture = render(patterns, channel("conv2", 3), recipe=recipe, start=start, steps=30, progress=False)
    begun = patterns.apply(patterns.weights, jnp.asarray(start)[None], layers=("conv2",))
    assert picture.score > 1.1 * float(channel("conv2", 3)(begun)[0])
    like = np.corrcoef(picture.pixels.ravel(), start.ravel())[0, 1]
    assert 0.5 < like < 0.999
    assert picture.alpha is not None
