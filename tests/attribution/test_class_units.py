"""Units ranked by their part in a class over photos, and those behind its mistakes."""

import numpy as np
import pytest

import featviz as fv
from featviz.attribution.methods import GradientTimesActivation, Occlusion
from featviz.errors import FeatvizError
from featviz.model import OUTPUT

PHOTOS = [(str(index), np.random.default_rng(index).random((16, 16, 3), np.float32)) for index in range(3)]
QUICK = {"layers": ["conv2/relu"], "method": GradientTimesActivation(), "units": 2, "progress": False}


def test_means_and_intervals_are_those_of_the_photos(tiny):
    outputs = [np.asarray(tiny.apply(tiny.weights, photo[None], layers=[OUTPUT])[OUTPUT])[0] for _, photo in PHOTOS]
    best = int(outputs[0].argmax())
    found = fv.class_units(tiny, PHOTOS, best, **QUICK)
    right = [name for (name, _), output in zip(PHOTOS, outputs, strict=True) if output.argmax() == best]
    assert list(found.right) == right and len(found.right) + len(found.wrong) == 3
    kernel = np.asarray(tiny.weights["params"]["fc"]["kernel"])[:, best]
    means = np.stack([fv.observe(tiny, photo, "conv2/relu").mean((0, 1)) for _, photo in PHOTOS])
    values = means * kernel
    first = found.ranked[0]
    assert first.unit == values.mean(0).argmax() and first.photos == 3 and first.layer == "conv2/relu"
    assert first.attribution == pytest.approx(values[:, first.unit].mean(), abs=1e-5)
    # Student's t of two degrees of freedom.
    expected = 4.302653 * values[:, first.unit].std(ddof=1) / 3**0.5
    assert first.attribution_error == pytest.approx(expected, rel=1e-3, abs=1e-6)
    # The network is linear behind this layer.
    assert first.effect == pytest.approx(-first.attribution, abs=1e-5)


def test_units_behind_mistakes_speak_for_the_wrong_class(tiny):
    outputs = np.stack([np.asarray(tiny.apply(tiny.weights, p[None], layers=[OUTPUT])[OUTPUT])[0] for _, p in PHOTOS])
    never = int(outputs.max(0).argmin())
    found = fv.class_units(tiny, PHOTOS, never, **QUICK)
    assert not found.right and [best for _, best in found.wrong] == outputs.argmax(1).tolist()
    kernel = np.asarray(tiny.weights["params"]["fc"]["kernel"])
    means = np.stack([fv.observe(tiny, photo, "conv2/relu").mean((0, 1)) for _, photo in PHOTOS])
    contrast = np.stack([kernel[:, best] - kernel[:, never] for best in outputs.argmax(1)])
    assert found.mistaken[0].unit == (means * contrast).mean(0).argmax()
    assert repr(found) == f"<ClassUnits of class {never}, 0 photos right, 3 wrong>"


def test_no_photos_and_no_such_class_are_refused(tiny):
    with pytest.raises(FeatvizError, match="`photos` is empty"):
        fv.class_units(tiny, [], 1, **QUICK)
    with pytest.raises(FeatvizError, match="`unit` 80 is out of range"):
        fv.class_units(tiny, PHOTOS, 80, **QUICK)


def test_a_method_that_does_not_tell_units_apart_is_refused(tiny):
    with pytest.raises(FeatvizError, match="`method` is occlusion, which does not tell units apart"):
        fv.class_units(tiny, PHOTOS, 1, **QUICK | {"method": Occlusion()})
