"""Files laid out as saev lays them out, in the versions of its format, against numpy."""

import json

import numpy as np
import pytest
from support.dictionaries import UNITS, draw_autoencoder, largest, pre, relu
from support.weight_files import saved

from featviz.dictionaries import Standardized, load_dictionary
from featviz.errors import FeatvizError

ARRAYS = draw_autoencoder(np.random.default_rng(0))
NAMES = {"encoder": "W_enc", "encoder_bias": "b_enc", "decoder": "W_dec", "decoder_bias": "b_dec"}
STATE = {NAMES[name]: array for name, array in ARRAYS.items()}
X = np.random.default_rng(1).normal(size=(5, UNITS)).astype(np.float32)
A = pre(ARRAYS, X, centered=False)
TOP = {"d_vit": UNITS, "exp_factor": 2, "top_k": 3}


def write(path, header, **more):
    path.write_bytes(json.dumps(header).encode() + b"\n" + saved({**STATE, **more}))
    return path


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        # Before versions: the configuration alone.
        ({"d_vit": UNITS, "exp_factor": 2, "l1_coeff": 1e-4, "seed": 0}, relu(A)),
        # Version 1 in its two forms.
        ({"schema": 1, "cls": "TopK", "cfg": TOP}, largest(A, 3)),
        (
            {"schema": 1, "cls": "SparseAutoencoderConfig", "cfg": {"activation": {"cls": "Relu", "params": {}}}},
            relu(A),
        ),
        ({"schema": 2, "cfg": {"activation": {"cls": "TopK", "params": {"top_k": 7}}}}, largest(A, 7)),
        ({"schema": 2, "cfg": {"activation": {"cls": "BatchTopK", "params": {"top_k": 2}}}}, largest(A, 2)),
        ({"schema": 5, "cfg": {"activation": {"kind": "top-k", "top_k": 4, "sparsity": {}}}}, largest(A, 4)),
    ],
)
def test_every_version(header, expected, tmp_path):
    ours = load_dictionary(write(tmp_path / "sae.pt", {"commit": "abc", "lib": "0.1", **header}))
    np.testing.assert_allclose(ours.encode(X), expected, atol=1e-5)
    assert ours.record.format == "saev" and ("commit", "abc") in ours.record.notes


def test_the_fitted_threshold_of_batch_topk(tmp_path):
    header = {"schema": 5, "cfg": {"activation": {"kind": "batch-top-k", "top_k": 2}}}
    path = write(tmp_path / "sae.pt", header, **{"activation.threshold": np.float32([0.8])[0:1].reshape(())})
    np.testing.assert_allclose(load_dictionary(path).encode(X), relu(A) * (A > 0.8), atol=1e-5)
    # As the library itself does with one that was never fitted.
    path = write(tmp_path / "new.pt", header, **{"activation.threshold": np.zeros((), np.float32)})
    np.testing.assert_allclose(load_dictionary(path).encode(X), relu(A), atol=1e-5)


def test_the_scale_of_the_data_set_is_given_by_the_user(tmp_path):
    scale = Standardized(np.ones(UNITS, np.float32), np.float32(2))
    path = write(tmp_path / "sae.pt", {"schema": 1, "cls": "Relu", "cfg": {}})
    ours = load_dictionary(path, normalization=scale)
    np.testing.assert_allclose(ours.encode(X), relu(pre(ARRAYS, (X - 1) / 2, centered=False)), atol=1e-5)


def test_what_cannot_be_used_is_refused_in_one_line(tmp_path):
    with pytest.raises(FeatvizError, match="its activation function is `Gelu`"):
        load_dictionary(write(tmp_path / "a.pt", {"schema": 2, "cfg": {"activation": {"cls": "Gelu"}}}))
    (tmp_path / "b.pt").write_bytes(b'{"schema": 1,' + b"\n")
    with pytest.raises(FeatvizError, match="its first line is no JSON"):
        load_dictionary(tmp_path / "b.pt")
    (tmp_path / "c.pt").write_bytes(b'{"schema": 1}' + b"\n" + b"nothing")
    with pytest.raises(FeatvizError, match="`c.pt` is of an unknown kind"):
        load_dictionary(tmp_path / "c.pt")


def test_what_contradicts_itself_is_refused_in_one_line(tmp_path):
    topk = {"activation": {"cls": "TopK", "params": {"top_k": 3}}}
    for schema in (9, 0, "two", None):
        with pytest.raises(FeatvizError, match=f"its schema is `{schema}`; expected 1 to 5 of saev"):
            load_dictionary(write(tmp_path / "a.pt", {"schema": schema, "cfg": topk}))
    with pytest.raises(FeatvizError, match="its configuration says `d_model` 768, its arrays have 6"):
        load_dictionary(write(tmp_path / "b.pt", {"schema": 4, "cfg": {**topk, "d_model": 768}}))
    with pytest.raises(FeatvizError, match="its k is 10; expected a whole number from 1 to 9"):
        load_dictionary(write(tmp_path / "c.pt", {"schema": 1, "cls": "TopK", "cfg": {"top_k": 10}}))


def test_a_k_that_is_no_number_is_refused_in_one_line(tmp_path):
    header = {"schema": 2, "cfg": {"activation": {"cls": "TopK", "params": {"top_k": None}}}}
    with pytest.raises(FeatvizError, match="`a.pt` (cannot be used as|says nothing usable of)") as caught:
        load_dictionary(write(tmp_path / "a.pt", header))
    assert "\n" not in str(caught.value)
