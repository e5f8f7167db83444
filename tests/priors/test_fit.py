"""A training: the loss falls, it is deterministic, it can be stopped and continued, and it ends in time."""

import time
from dataclasses import replace

import jax
import numpy as np
import pytest
from PIL import Image

from featviz.errors import FeatvizError
from featviz.priors.crops import read_pyramids
from featviz.priors.fit import Length, fit, measure_colors
from featviz.priors.held_out import SIGMAS, held_out_crops, mean_loss, split_photographs
from featviz.priors.training_step import FitSettings
from featviz.priors.unet import DenoiserConfig

SETTINGS = FitSettings(sizes=(16,), batch=4, warmup=5, rate=5e-3, average=0.9)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Disks on plain ground."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:48, :48]
    for index in range(8):
        image = np.broadcast_to(rng.integers(0, 256, 3), (48, 48, 3)).copy()
        image[(rows - rng.integers(10, 38)) ** 2 + (columns - rng.integers(10, 38)) ** 2 < 80] = rng.integers(0, 256, 3)
        Image.fromarray(image.astype(np.uint8)).save(folder / f"{index}.png")
    return read_pyramids(sorted(folder.iterdir()), 3, (16,))


@pytest.fixture(scope="module")
def config(photographs):
    mean, deviation = measure_colors(photographs)
    values = np.asarray(photographs.values) / 255
    assert mean == pytest.approx(values.mean(), abs=0.01) and deviation == pytest.approx(values.std(), abs=0.01)
    return DenoiserConfig(widths=(8, 8), middle=0, embedding=8, mean=mean, deviation=deviation)


def test_the_loss_falls(photographs, config):
    crops = held_out_crops(photographs, (16,), 3)
    reports = []
    state, loss = fit(photographs, config, SETTINGS, Length(160), report=reports.append, every=80, held_out=crops)
    assert [report.step for report in reports] == [80, 160] and int(state.step) == 160
    assert reports[-1].total == 160 and len(reports[-1].held_out[16]) == len(SIGMAS)
    assert loss == mean_loss(reports[-1].held_out) < mean_loss(reports[0].held_out) < 0.97
    assert reports[-1].trained == {}


def test_a_stopped_training_goes_on_as_if_it_had_not_been(photographs, config, tmp_path):
    whole, _ = fit(photographs, config, SETTINGS, Length(8))

    def stop(report):
        raise KeyboardInterrupt

    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(KeyboardInterrupt):
        fit(photographs, config, SETTINGS, Length(8), report=stop, every=3, checkpoint=path)
    state, _ = fit(photographs, config, SETTINGS, Length(8), checkpoint=path, resume=True)
    assert int(state.step) == 8
    for name, array in whole.average.items():
        np.testing.assert_array_equal(state.average[name], array)
    with pytest.raises(FeatvizError, match="training with other settings"):
        fit(photographs, config, replace(SETTINGS, seed=1), Length(8), checkpoint=path, resume=True)


def test_it_ends_in_time(photographs, config):
    reports = []
    begun = time.monotonic()
    state, loss = fit(photographs, config, SETTINGS, Length(None, begun + 0.1), report=reports.append, every=10**6)
    # The first step compiles, and is done in any case.
    assert int(state.step) >= 1 and loss is None and len(reports) == 1


def test_errors(photographs, config, tmp_path):
    with pytest.raises(FeatvizError, match="neither steps nor a deadline"):
        fit(photographs, config, SETTINGS, Length())
    with pytest.raises(FeatvizError, match="does not exist; expected the checkpoint"):
        fit(photographs, config, SETTINGS, Length(2), checkpoint=tmp_path / "none", resume=True)
    with pytest.raises(FeatvizError, match="a single color"):
        measure_colors(photographs._replace(values=jax.numpy.zeros(1000, np.uint8)))


def test_one_in_twenty_is_held_out():
    training, held = split_photographs([str(index) for index in range(312)])
    assert len(held) == 15 and len(training) == 297 and not set(training) & set(held)
