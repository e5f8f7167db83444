"""Units ranked by their part in a class over photos, and those behind its mistakes."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import featviz as fv
from featviz.attribution.explained_layers import explained_layers
from featviz.attribution.methods import GradientTimesActivation, Occlusion
from featviz.errors import FeatvizError
from featviz.model import OUTPUT

PHOTOS = [np.random.default_rng(index).integers(0, 256, (16, 16, 3), np.uint8) for index in range(3)]
NAMES = ["000000", "000001", "000002"]
PIXELS = [photo.astype(np.float32) / 255 for photo in PHOTOS]
QUICK = {"layers": ["conv2/relu"], "method": GradientTimesActivation(), "units": 2, "progress": False}


def test_means_and_intervals_are_those_of_the_photos(tiny):
    outputs = [np.asarray(tiny.apply(tiny.weights, photo[None], layers=[OUTPUT])[OUTPUT])[0] for photo in PIXELS]
    best = int(outputs[0].argmax())
    found = fv.class_units(tiny, PHOTOS, best, **QUICK)
    right = [name for name, output in zip(NAMES, outputs, strict=True) if output.argmax() == best]
    assert list(found.right) == right and len(found.right) + len(found.wrong) == 3
    kernel = np.asarray(tiny.weights["params"]["fc"]["kernel"])[:, best]
    means = np.stack([fv.observe(tiny, photo, "conv2/relu").mean((0, 1)) for photo in PIXELS])
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
    outputs = np.stack([np.asarray(tiny.apply(tiny.weights, p[None], layers=[OUTPUT])[OUTPUT])[0] for p in PIXELS])
    never = int(outputs.max(0).argmin())
    found = fv.class_units(tiny, PHOTOS, never, **QUICK)
    assert not found.right and [best for _, best in found.wrong] == outputs.argmax(1).tolist()
    kernel = np.asarray(tiny.weights["params"]["fc"]["kernel"])
    means = np.stack([fv.observe(tiny, photo, "conv2/relu").mean((0, 1)) for photo in PIXELS])
    contrast = np.stack([kernel[:, best] - kernel[:, never] for best in outputs.argmax(1)])
    assert found.mistaken[0].unit == (means * contrast).mean(0).argmax()
    assert repr(found) == f"<ClassUnits of class {never}, 0 photos right, 3 wrong>"


def test_no_photos_and_no_such_class_are_refused(tiny):
    with pytest.raises(FeatvizError, match="`photos` is empty"):
        fv.class_units(tiny, [], 1, **QUICK)
    with pytest.raises(FeatvizError, match="`class_index` is 80; expected one of the"):
        fv.class_units(tiny, PHOTOS, 80, **QUICK)


def test_a_method_that_does_not_tell_units_apart_is_refused(tiny):
    with pytest.raises(FeatvizError, match="`method` is occlusion, which does not tell units apart"):
        fv.class_units(tiny, PHOTOS, 1, **QUICK | {"method": Occlusion()})


def test_a_folder_and_a_name_are_taken_and_layers_are_chosen(tiny, tmp_path):
    for name, photo in zip("ab", PHOTOS, strict=False):
        Image.fromarray(photo).save(tmp_path / f"{name}.png")
    named = replace(tiny, classes=tuple(f"class {index}" for index in range(tiny.layers[-1].units)))
    found = fv.class_units(named, tmp_path, "class 1", method=GradientTimesActivation(), units=1, progress=False)
    assert found.class_index == 1 and sorted([*found.right, *(name for name, _ in found.wrong)]) == ["a.png", "b.png"]
    assert {rank.layer for rank in found.ranked} == set(explained_layers(tiny, None))
    (tmp_path / "c.png").write_bytes(b"no image")
    with pytest.raises(FeatvizError, match="`c.png` cannot be read"):
        fv.class_units(tiny, tmp_path, 1, **QUICK)
