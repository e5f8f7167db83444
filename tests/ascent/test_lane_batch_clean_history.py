"""The score of the picture itself along the way, whatever the transforms of each step are."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from support.tiny import Gauges, build

import featviz as fv
from featviz.optimizers import Adam
from featviz.parameterizations import Pixels
from featviz.pictures.picture import Outcome, Picture, load_picture
from featviz.recipes import Stage
from featviz.regularizers import GaussianNoise, Jitter, Roll

MODEL = build()
GAUGES = build(Gauges())
START = np.random.default_rng(0).uniform(0.1, 0.9, (16, 16, 3)).astype(np.float32)
PLAIN = {"parameterization": Pixels(decorrelate=False), "optimizer": Adam(0.05)}


def value_of(picture_or_pixels, objective=None, model=MODEL):
    """The objective on an image, by the network itself."""
    pixels = jnp.asarray(np.asarray(picture_or_pixels)[None])
    return float(objective(model.apply(model.weights, pixels))[0])


NOISES = st.floats(0.0, 0.6).map(lambda size: round(size, 2))


# Each example compiles its own program: a failing one is not shrunk.
@settings(max_examples=5, deadline=None, derandomize=True, phases=(Phase.generate,))
@given(first=NOISES, last=NOISES, steps=st.sampled_from([1, 15, 16, 33]), moved=st.booleans())
def test_the_last_point_is_the_score_however_the_transforms_change(first, last, steps, moved):
    transforms = (GaussianNoise(first, last), *((Jitter(3), Roll(2)) if moved else ()))
    objective = fv.channel("conv2", 1)
    recipe = fv.Recipe(**PLAIN, transforms=transforms)
    picture = fv.render(MODEL, objective, recipe=recipe, steps=steps, start=START, size=16, progress=False)
    looks, scores = picture.clean_history.T
    assert looks.tolist() == [*range(0, steps, 16), steps] and len(picture.history) == steps
    assert scores[-1] == np.float32(picture.score)
    np.testing.assert_allclose(scores[0], value_of(START, objective), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(scores[-1], value_of(picture, objective), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("first", "last"), [(0.0, 0.9), (0.9, 0.0)])
def test_noise_that_grows_or_shrinks_does_not_bend_the_curve(first, last):
    # Noise lowers minus the variance of an image; that of the picture itself only rises.
    def network(weights, images):
        return {"flat": weights["sign"] * jnp.var(images, axis=(1, 2, 3))[:, None]}

    model = fv.from_function(network, {"sign": -jnp.ones(())}, input=fv.InputSpec(size=16))
    recipe = fv.Recipe(**PLAIN, transforms=(GaussianNoise(first, last),))
    picture = fv.render(model, fv.channel("flat", 0), recipe=recipe, steps=48, start=START, size=16, progress=False)
    falls = picture.history[-8:].mean() < picture.history[:8].mean()
    assert falls == (last > first)
    assert (np.diff(picture.clean_history[:, 1]) > 0).all()


def test_neighbors_do_not_matter():
    recipe = fv.Recipe(**PLAIN, steps=20, size=16)
    together = fv.render(MODEL, fv.channel("conv1", range(5)), recipe=recipe, progress=False)
    for unit, picture in enumerate(together):
        alone = fv.render(MODEL, fv.channel("conv1", unit), recipe=recipe, progress=False)
        np.testing.assert_array_equal(alone.clean_history, picture.clean_history)


def test_each_picture_of_a_group_and_all_stages_have_their_own():
    recipe = fv.Recipe(**PLAIN, steps=40, stages=(Stage(0.5, 20), Stage(1.0, 20)))
    objective = fv.channel("conv2", 0) + 0.1 * fv.diversity("conv1")
    pictures = fv.render_group(MODEL, objective, group_size=2, recipe=recipe, size=32, progress=False)
    for picture in pictures:
        assert picture.clean_history[:, 0].tolist() == [0, 16, 20, 36, 40]
        assert picture.clean_history[-1, 1] == np.float32(picture.score)
    assert not np.array_equal(pictures[0].clean_history, pictures[1].clean_history)


def test_what_is_not_finite_keeps_the_last_good_score():
    picture = fv.render(GAUGES, fv.logit(2), recipe=fv.Recipe(**PLAIN, steps=64), size=16, progress=False)
    assert picture.outcome is Outcome.NOT_FINITE
    looks, scores = picture.clean_history.T
    assert looks[-1] == len(picture.history) - 1
    np.testing.assert_array_equal(scores[-1], np.float32(picture.score))


def test_snapshots_have_what_is_known_by_then():
    *_, last = forming = list(fv.stream(MODEL, fv.channel("conv1", 0), every=8, steps=20, size=16))
    assert [picture.clean_history[-1, 0] for picture in forming] == [len(picture.history) for picture in forming]
    assert last.clean_history[-1, 1] == np.float32(last.score)


def test_files_keep_it(tmp_path):
    rows = np.array([[0, -0.1], [16, np.nan], [20, 1 / 3]], np.float32)
    picture = Picture(np.zeros((2, 2, 3)), 1 / 3, Outcome.CONVERGED, [1.0], {}, clean_history=rows)
    for name in ("a.png", "a.npy"):
        np.testing.assert_array_equal(load_picture(picture.save(tmp_path / name)).clean_history, rows)
