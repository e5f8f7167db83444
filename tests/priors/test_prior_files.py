"""A denoiser's file gives it back in half precision, and a wrong file is an error of one line."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from featviz.errors import FeatvizError
from featviz.priors.denoiser import Denoiser
from featviz.priors.prior_files import PriorRecord, read_prior, write_prior
from featviz.priors.unet import DenoiserConfig, init_weights

RECORD = PriorRecord("six photographs (CC BY-SA 4.0)", 12, 0.25)


def make(config):
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(lambda key: init_weights(key, config), jax.random.key(0))
    return Denoiser(config, {name: rng.normal(size=leaf.shape).astype(np.float32) for name, leaf in shapes.items()})


@settings(max_examples=10, deadline=None)
@given(st.sampled_from([1, 3, 4]), st.lists(st.sampled_from([8, 16]), min_size=1, max_size=3), st.integers(0, 2))
def test_a_file_gives_the_denoiser_back(tmp_path_factory, channels, widths, middle):
    path = tmp_path_factory.mktemp("prior") / "prior.safetensors"
    own = make(DenoiserConfig(channels, tuple(widths), 1, middle, 8, mean=0.41, deviation=0.22))
    write_prior(path, own, RECORD)
    read, record = read_prior(path)
    assert record == RECORD and read.config == own.config and list(read.weights) == list(own.weights)
    for name, array in own.weights.items():
        np.testing.assert_array_equal(read.weights[name], array.astype(np.float16).astype(np.float32))


def test_no_file(tmp_path):
    with pytest.raises(FeatvizError, match="does not exist"):
        read_prior(tmp_path / "none.safetensors")


def test_wrong_files(tmp_path):
    path = tmp_path / "prior.safetensors"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(FeatvizError, match="`prior.safetensors` cannot be read as a prior"):
        read_prior(path)
    save_file({"kernel": np.ones(3, np.float32)}, path)
    with pytest.raises(
        FeatvizError, match="is not a prior in this version's format; expected a file of `featviz prior fit`"
    ):
        read_prior(path)


def test_weights_that_do_not_fit_or_are_not_finite(tmp_path):
    path = tmp_path / "prior.safetensors"
    own = make(DenoiserConfig(widths=(8,), embedding=8))
    write_prior(path, Denoiser(DenoiserConfig(widths=(16,), embedding=8), own.weights), RECORD)
    with pytest.raises(FeatvizError, match="weights of another architecture"):
        read_prior(path)
    own.weights["last/bias"][0] = np.nan
    write_prior(path, own, RECORD)
    with pytest.raises(FeatvizError, match="not finite"):
        read_prior(path)


def test_half_a_file(tmp_path):
    path = tmp_path / "prior.safetensors"
    write_prior(path, make(DenoiserConfig(widths=(8,), embedding=8)), RECORD)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FeatvizError, match="cannot be read as a prior"):
        read_prior(path)
