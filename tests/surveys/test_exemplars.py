"""Exemplars: a unit united with its best photographs, in Python and on the command line."""

import numpy as np
import pytest
from support.evidence import LAYER

import featviz as fv
from featviz.cli.main import run
from featviz.errors import FeatvizError


def test_exemplars_unite_the_unit_with_its_photographs(blob_survey):
    alone = fv.exemplars(blob_survey, LAYER, 2, share=0.0)
    own = np.zeros(blob_survey.layer(LAYER).units)
    own[2] = 1
    np.testing.assert_allclose(np.asarray(alone.terms[0].vector), own, atol=1e-6)
    # By hand, from the network's activations on the best photographs of half A.
    model, numbers = blob_survey.model, np.arange(len(blob_survey))[::2]
    images = np.stack([blob_survey.photo(n) for n in numbers]).astype(np.float32) / np.float32(255)
    maps = np.asarray(model.apply(model.weights, images, layers=[LAYER])[LAYER])
    flat = maps.reshape(len(maps), -1, maps.shape[-1])
    best = np.argsort(-blob_survey.maxima(LAYER, units=2)[numbers], kind="stable")[:9]
    common = np.mean([flat[i, blob_survey.positions(LAYER, units=2)[numbers[i]]] for i in best], axis=0)
    expected = (common - flat.mean((0, 1))) / (flat.std((0, 1)) + 1e-3) ** 2
    found = np.asarray(fv.exemplars(blob_survey, LAYER, 2, share=1.0).terms[0].vector)
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=1e-3)
    both = fv.exemplars(blob_survey, LAYER, [2, 5])
    assert [each.label for each in both] == [f"{LAYER}:2", f"{LAYER}:5"]
    np.testing.assert_array_equal(both[0].terms[0].vector, fv.exemplars(blob_survey, LAYER, 2).terms[0].vector)
    with pytest.raises(FeatvizError, match="`share` is 2"):
        fv.exemplars(blob_survey, LAYER, 2, share=2)
    with pytest.raises(FeatvizError, match="`unit` -1 is out of range"):
        fv.exemplars(blob_survey, LAYER, -1)


def test_render_unites_units_with_photographs(blob_survey, tmp_path, capsys):
    folder, out = str(blob_survey.store.path), tmp_path / "united"
    words = ["render", "patterns", f"{LAYER}:4,2", "--exemplars", folder, "--steps", "2", "--size", "64", "--quiet"]
    run([*words, "-o", str(out)])
    picture = fv.load_picture(out / f"{LAYER}-4.png")
    assert picture.name == f"{LAYER}:4"
    assert picture.provenance["objective"]["terms"][0]["kind"] == "Exemplars"
    with pytest.raises(SystemExit):
        run(["render", "patterns", f"{LAYER}:whole", "--exemplars", folder, "-o", str(out / "x.png")])
    assert "is not a channel" in capsys.readouterr().err
