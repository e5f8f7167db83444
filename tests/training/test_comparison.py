"""Checkpoints are compared from the same noise, on one scale."""

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest
from flax.training.train_state import TrainState
from optax import adam
from PIL.ImageFont import load_default
from support.tiny import SMALL

import featviz as fv
from featviz.pictures.captions import make_captions
from featviz.training.comparison import with_bar
from featviz.training.training_weights import checkpoints_in

BRIGHT = fv.channel("conv1/relu", [1, 8])


def halved(weights):
    return jax.tree.map(lambda leaf: leaf / 2, weights)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, other_weights):
    """Checkpoints that a training with Orbax writes: train states at steps 2 and 10."""
    path = tmp_path_factory.mktemp("checkpoints") / "run"
    state = TrainState.create(apply_fn=None, params=other_weights["params"], tx=adam(0.1))
    with ocp.CheckpointManager(path) as manager:
        for step, given in ((2, state.replace(params=halved(state.params))), (10, state)):
            manager.save(step, args=ocp.args.StandardSave(given))
        manager.wait_until_finished()
    return path


def test_checkpoints_of_orbax_are_compared_on_one_scale(tiny, other_weights, folder):
    assert [path.name for path in checkpoints_in(folder)] == ["2", "10"]
    found = fv.compare(tiny, folder, BRIGHT, **SMALL)
    assert found.labels == ("2", "10")
    again = fv.compare(tiny, {"half": halved(other_weights), "whole": other_weights}, BRIGHT, **SMALL)
    for row, other in zip(found.pictures, again.pictures, strict=True):
        for one, two in zip(row, other, strict=True):
            np.testing.assert_array_equal(one.pixels, two.pixels)
    expected = fv.render(tiny, BRIGHT[1], weights=other_weights, **SMALL)
    np.testing.assert_array_equal(found.pictures[1][1].pixels, expected.pixels)
    assert found.scales() == [max(picture.score for picture in row) for row in found.pictures]


def test_sheets_and_films_have_a_bar_for_each_score(tiny, other_weights, tmp_path):
    found = fv.compare(tiny, [halved(other_weights), other_weights], BRIGHT, labels=["early", "late"], **SMALL)
    low, high = found.pictures[0]
    assert 0 < low.score < high.score
    frames = list(found.frames())
    assert len(frames) == 2 and frames[0].shape == frames[1].shape == (2 + 18 + 2, 2 + 16 + 2 + 16 + 2, 3)
    # The first target's bar: its last row of pixels, the colored ones less red than gray.
    longs = [int(np.sum(frame[19, 2:18, 2] < 0.5)) for frame in frames]
    assert longs == [round(16 * low.score / high.score), 16]
    assert found.sheet().width > 2 * 96
    # Each is named by its unit, which the pictures have kept, and by its checkpoint.
    rows = zip(found.pictures, found.scales(), strict=True)
    shown = [with_bar(picture, scale=scale) for row, scale in rows for picture in row]
    assert make_captions(shown, 96, load_default(size=10)).title == "tiny conv1/relu"
    named = fv.contact_sheet(shown, columns=2, notes=["early", "late"] * 2)
    assert np.array_equal(np.asarray(found.sheet()), np.asarray(named))
    assert not np.array_equal(np.asarray(named), np.asarray(fv.contact_sheet(shown, columns=2)))
    found.save_sheet(tmp_path / "sheet.png")
    found.save_film(tmp_path / "film.gif")
    assert (tmp_path / "sheet.png").stat().st_size > 1000 and (tmp_path / "film.gif").stat().st_size > 500
