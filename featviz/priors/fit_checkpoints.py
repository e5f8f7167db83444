"""Where a training stands, in a file: written whole or not at all, and read again to go on."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from featviz.common.array_files import read_arrays
from featviz.common.files import write_atomic
from featviz.errors import FeatvizError
from featviz.priors.training_step import FitSettings, FitState, init_state
from featviz.priors.unet import DenoiserConfig

FORMAT = "featviz prior training 1"


def save_checkpoint(
    path: str | os.PathLike[str], state: FitState, config: DenoiserConfig, settings: FitSettings
) -> Path:
    """Writes a state.

    Args:
      path: of the file.
      state: to be written.
      config: the architecture.
      settings: of the training; with others it does not go on.

    Raises:
      FeatvizError: if the file cannot be written.
    """
    from safetensors.numpy import save

    arrays = {name: np.asarray(leaf) for name, leaf in _named(state).items()}
    return write_atomic(path, save(arrays, metadata={"format": FORMAT, "settings": _settings(config, settings)}))


def load_checkpoint(path: str | os.PathLike[str], config: DenoiserConfig, settings: FitSettings) -> FitState:
    """Reads a state.

    Args:
      path: a file of `save_checkpoint`.
      config: the architecture.
      settings: of the training.

    Raises:
      FeatvizError: if the file is missing, broken, or of another training.
    """
    path = Path(path)
    metadata, arrays = read_arrays(
        path,
        FORMAT,
        "a checkpoint",
        missing="the checkpoint of a training",
        other="the file of an interrupted training",
    )
    if metadata.get("settings") != _settings(config, settings):
        raise FeatvizError(f"`{path.name}` is of a training with other settings; expected those it began with")
    template = jax.eval_shape(lambda: init_state(config, settings))
    names = list(_named(template))
    if set(names) != set(arrays):
        raise FeatvizError(f"`{path.name}` lacks arrays of the training; expected a whole file")
    return jax.tree.unflatten(jax.tree.structure(template), [jnp.asarray(arrays[name]) for name in names])


def _named(state: FitState) -> dict[str, Any]:
    leaves = jax.tree_util.tree_leaves_with_path(state)
    return {jax.tree_util.keystr(path): leaf for path, leaf in leaves}


def _settings(config: DenoiserConfig, settings: FitSettings) -> str:
    return json.dumps([asdict(config), asdict(settings)], sort_keys=True)
