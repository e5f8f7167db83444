"""Statistics of units over a survey, and examples by interval."""

import flax.linen as nn
import numpy as np
import pytest
from support.surveys import COUNT, IMAGES
from support.tiny import Gauges, build

from featviz.surveys.run_survey import survey
from featviz.surveys.statistics import BINS, INTERVALS, examples, halves, moments, statistics


def test_statistics_agree_with_numpy(broken_survey):
    _, made = broken_survey
    values = made.maxima("conv1")[made.readable].astype(np.float64)
    found = statistics(made, "conv1")
    np.testing.assert_allclose(found.mean, values.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.sd, values.std(0), rtol=1e-9)
    assert np.array_equal(found.low, values.min(0)) and np.array_equal(found.high, values.max(0))
    assert np.array_equal(found.firing, (values > 0).mean(0)) and len(set(found.firing)) > 3
    assert found.histogram.shape == (80, BINS) and (found.histogram.sum(1) == 196).all()
    for unit in range(80):
        counts, edges = np.histogram(values[:, unit], BINS)
        assert np.array_equal(found.histogram[unit], counts)
        np.testing.assert_allclose(found.edges(unit), edges, rtol=1e-5, atol=1e-6)


def test_statistics_do_not_depend_on_the_units_in_memory(whole_survey, monkeypatch):
    expected = statistics(whole_survey, "conv1")
    monkeypatch.setattr("featviz.surveys.statistics.MAX_VALUES", 7 * COUNT)
    found = statistics(whole_survey, "conv1")
    assert all(np.array_equal(getattr(found, name), getattr(expected, name)) for name in vars(found))


class Named(nn.Module):
    """The units of Gauges as a layer."""

    @nn.compact
    def __call__(self, x):
        return 2 * Gauges(name="gauges")(x)


def test_statistics_of_units_that_are_constant_or_nan(tmp_path):
    tones = np.arange(100, 160, 3)
    images = np.stack([np.full((16, 16, 3), tone, np.uint8) for tone in tones])
    made = survey(build(Named()), images, out=tmp_path / "s", layers=["gauges"], progress=False)
    found = statistics(made, "gauges")
    assert found.histogram.sum(1).tolist() == [20, 20, 0, 20, 20, 20, 20]
    assert np.isnan([found.mean[2], found.sd[2], found.low[2], found.high[2]]).all()
    # One bin for a constant unit, and most bins for one that grows evenly.
    assert found.histogram[3].tolist() == [20, *[0] * (BINS - 1)] and found.histogram[0].max() == 1
    opened = (tones > 130).mean()
    assert np.array_equal(found.firing, [(tones > 127).mean()] * 2 + [found.firing[2], 1, opened, 0, opened])


def test_moments_and_halves(broken_survey):
    _, made = broken_survey
    a, b = halves(made)
    assert len(a) == len(b) == 98 and not set(a) & set(b) and set(a) | set(b) == set(np.flatnonzero(made.readable))
    mean, sd = moments(made, "conv2", a)
    values = made.maxima("conv2")[a].astype(np.float64)
    np.testing.assert_allclose(mean, values.mean(0), rtol=1e-12)
    np.testing.assert_allclose(sd, values.std(0), rtol=1e-9)


@pytest.mark.parametrize("unit", [0, 41, 79])
def test_examples_by_interval(broken_survey, unit):
    _, made = broken_survey
    values = made.maxima("conv1", units=unit)
    ranked = np.sort(values[made.readable])[::-1]
    found = examples(made, "conv1", unit, per_interval=4)
    assert [example.percentile for example in found] == [p for p in INTERVALS for _ in range(4)]
    numbers = [example.index for example in found]
    assert len(set(numbers)) == len(numbers) == 24 and made.readable[numbers].all()
    assert [example.activation for example in found] == [float(values[number]) for number in numbers]
    assert [example.photo for example in found] == [made.names[number] for number in numbers]
    assert [e.activation for e in found[:4]] == ranked[:4].tolist()
    assert [e.activation for e in found[-4:]] == ranked[-4:].tolist()
    for example in found:
        below = 100 * (ranked < example.activation).mean()
        assert abs(below - example.percentile) <= 3
        left, top, right, bottom = example.box
        assert 0 <= left < right <= 16 and 0 <= top < bottom <= 16
        assert right - left == bottom - top == made.receptive_field("conv1")


def test_examples_of_few_photos_repeat_none(tiny, tmp_path):
    made = survey(tiny, IMAGES[:5], out=tmp_path / "s", layers=["conv1"], progress=False)
    found = examples(made, "conv1", 3, per_interval=2)
    assert sorted(example.index for example in found) == [0, 1, 2, 3, 4]
    best = made.maxima("conv1", units=3).argmax()
    assert found[0].index == best and found[0].percentile == 100
