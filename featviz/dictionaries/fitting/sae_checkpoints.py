"""Where an autoencoder's training stands, in a file: written whole or not at all, and read again to go on."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from featviz.common.files import write_atomic
from featviz.dictionaries.fitting.sae_step import SaeSettings, SaeState
from featviz.errors import FeatvizError, in_one_line

FORMAT = "featviz dictionary training 1"


def save_sae_checkpoint(path: Path, state: SaeState, settings: SaeSettings) -> Path:
    """Writes a state.

    Args:
      path: of the file.
      state: to be written.
      settings: of the training; with others it does not go on.

    Raises:
      FeatvizError: if the file cannot be written.
    """
    from safetensors.numpy import save

    arrays = {name: np.asarray(leaf) for name, leaf in _named(state).items()}
    return write_atomic(path, save(arrays, metadata={"format": FORMAT, "settings": _text(settings)}))


def load_sae_checkpoint(path: Path, template: SaeState, settings: SaeSettings) -> SaeState:
    """Reads a state.

    Args:
      path: a file of `save_sae_checkpoint`.
      template: a state of the same training, of which the structure is taken.
      settings: of the training.

    Raises:
      FeatvizError: if the file is broken or of another training.
    """
    import safetensors

    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except Exception as error:
        raise FeatvizError(f"`{path.name}` cannot be read as a checkpoint: {in_one_line(error)}") from None
    expected = {name: leaf.shape for name, leaf in _named(template).items()}
    found = {name: array.shape for name, array in arrays.items()}
    if metadata.get("format") != FORMAT or metadata.get("settings") != _text(settings) or found != expected:
        raise FeatvizError(f"`{path.name}` is of another training; expected a new folder, or that training's settings")
    return jax.tree.unflatten(jax.tree.structure(template), [jnp.asarray(arrays[name]) for name in expected])


def _named(state: SaeState) -> dict[str, Any]:
    leaves = jax.tree_util.tree_leaves_with_path(state)
    return {jax.tree_util.keystr(path): leaf for path, leaf in leaves}


def _text(settings: SaeSettings) -> str:
    return json.dumps(asdict(settings), sort_keys=True)
