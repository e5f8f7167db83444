"""Files of dictionaries: what is saved is read again, and broken files are refused in one line."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from support.dictionaries import UNITS, draw_codes

from featviz.dictionaries import (
    ConstantNorm,
    Dictionary,
    DictionaryRecord,
    LayerNorm,
    Standardized,
    load_dictionary,
    read_dictionary,
    save_dictionary,
)
from featviz.dictionaries.dictionary_files import FORMAT
from featviz.errors import FeatvizError

RECORD = DictionaryRecord(model="googlenet", layer="inception_4c", notes=(("photos", "64"), ("steps", "10")))
NORMALIZATIONS = (LayerNorm(1e-4), ConstantNorm(), Standardized(np.ones(UNITS, np.float32), np.float32(2)))


@pytest.mark.parametrize("index", range(len(draw_codes(0))))
def test_every_kind_is_read_again(index, tmp_path):
    code = draw_codes(index)[index].code
    dictionary = Dictionary(code, NORMALIZATIONS[index % len(NORMALIZATIONS)], RECORD).check()
    again = read_dictionary(save_dictionary(tmp_path / "d.safetensors", dictionary))
    assert type(again.code) is type(code) and again.record == RECORD
    assert again.code.summary == code.summary
    h = np.random.default_rng(1).normal(size=(5, UNITS)).astype(np.float32)
    np.testing.assert_array_equal(again.encode(h), dictionary.encode(h))
    np.testing.assert_array_equal(again.reconstruct(h), dictionary.reconstruct(h))


def test_a_file_without_a_field_that_came_later_has_its_default(tmp_path):
    path = save_dictionary(tmp_path / "d.safetensors", Dictionary(draw_codes(0)[2].code))
    described = {"kind": "topk", "centered": True, "k": 3}
    assert read_dictionary(rewrite(path, code=json.dumps(described))).code.magnitudes is False
    del described["k"]
    assert "lacks `code.k` of a topk dictionary" in refusal(rewrite(path, code=json.dumps(described)))


@pytest.fixture
def saved(tmp_path):
    return save_dictionary(tmp_path / "d.safetensors", Dictionary(draw_codes(0)[3].code, record=RECORD))


def rewrite(path, arrays=None, **metadata):
    import safetensors

    with safetensors.safe_open(path, "numpy") as file:
        known = file.metadata()
    save_file(load_file(path) if arrays is None else arrays, path, {**known, **metadata})
    return path


def refusal(path):
    with pytest.raises(FeatvizError) as caught:
        read_dictionary(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_broken_files_are_refused_in_one_line(saved, tmp_path):
    missing = tmp_path / "other.safetensors"
    assert refusal(missing) == f"`{missing}` does not exist; expected a file of a dictionary"
    (tmp_path / "text.safetensors").write_bytes(b"no")
    assert "cannot be read as a dictionary" in refusal(tmp_path / "text.safetensors")
    arrays = load_file(saved)
    save_file(arrays, tmp_path / "plain.safetensors")
    assert "is not a dictionary in this version's format" in refusal(tmp_path / "plain.safetensors")
    code = json.dumps({"kind": "topq"})
    assert "its kind is `topq`; did you mean `topk`?" in refusal(rewrite(saved, code=code))


def test_missing_and_broken_arrays_are_refused_in_one_line(saved):
    arrays = load_file(saved)
    rewrite(saved, {name: array for name, array in arrays.items() if name != "code.threshold"})
    assert "it lacks `code.threshold` of a batch_topk dictionary" in refusal(saved)
    rewrite(saved, arrays | {"code.decoder_bias": np.full(UNITS, np.inf, np.float32)})
    assert "`decoder_bias` of the dictionary has values that are not finite" in refusal(saved)
    rewrite(saved, arrays, record="[]")
    assert "says nothing usable of its dictionary" in refusal(saved)
    rewrite(saved, arrays, format=FORMAT[:-1] + "2")
    assert "is not a dictionary in this version's format" in refusal(saved)


def test_what_cannot_be_used_is_not_written(tmp_path):
    with pytest.raises(FeatvizError, match="expected a name that ends in .safetensors"):
        save_dictionary(tmp_path / "d.pt", Dictionary(draw_codes(0)[0].code))


def test_what_the_user_says_of_such_a_file_is_not_dropped(saved):
    assert load_dictionary(saved).normalization.name == "none"
    assert load_dictionary(saved, normalization=LayerNorm()).normalization.name == "layer_norm"
    with pytest.raises(FeatvizError, match="cannot be used with this `normalization`: `mean` of the dictionary has"):
        load_dictionary(saved, normalization=Standardized(np.zeros(2), np.float32(1)))
    for name, value in (("kind", "topk"), ("k", 3), ("threshold", 0.5), ("centered", False)):
        with pytest.raises(FeatvizError, match=f"is of featviz and says this itself; expected no `{name}`"):
            load_dictionary(saved, **{name: value})
    rewrite(saved, format=FORMAT[:-1] + "2")
    with pytest.raises(FeatvizError, match="is a `featviz dictionary 2`; expected `featviz dictionary 1`"):
        load_dictionary(saved)
