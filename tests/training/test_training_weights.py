"""Weights are found in train states, nnx modules, and the files of Orbax and safetensors."""

import jax
import numpy as np
import orbax.checkpoint as ocp
from flax import nnx
from flax.training.train_state import TrainState
from optax import adam
from safetensors.numpy import save_file

import featviz as fv
from featviz.training.training_weights import read_checkpoint, weights_in


def test_a_train_state_and_bare_params_hold_the_weights(tiny, other_weights):
    params = other_weights["params"]
    state = TrainState.create(apply_fn=None, params=params, tx=adam(0.1))
    for given in (other_weights, params, state, {"model": {"params": params}, "step": 1}, {"ema": params}):
        found = weights_in(tiny, given, name="weights")
        assert jax.tree.all(jax.tree.map(np.array_equal, found, other_weights))


def test_the_files_of_nnx_and_of_safetensors(tmp_path, tiny, other_weights):
    module = nnx.Sequential(nnx.Conv(3, 4, (3, 3), rngs=nnx.Rngs(0)), nnx.relu)
    model = fv.from_nnx(module, input=fv.InputSpec(size=(16, 16)))
    with ocp.StandardCheckpointer() as writer:
        writer.save(tmp_path / "nnx", nnx.state(module))
    found = weights_in(model, read_checkpoint(tmp_path / "nnx"), name="nnx")
    assert jax.tree.all(jax.tree.map(np.array_equal, found, model.weights))
    flat = {
        jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(other_weights)
    }
    save_file(flat, tmp_path / "w.safetensors")
    found = weights_in(tiny, read_checkpoint(tmp_path / "w.safetensors"), name="w")
    assert jax.tree.all(jax.tree.map(np.array_equal, found, other_weights))
