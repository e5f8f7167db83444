"""Files of denoisers: safetensors in half precision, with the architecture and what they were trained on beside."""

import json
import os
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from featviz.common.array_files import array_bytes, read_arrays
from featviz.common.files import write_atomic
from featviz.errors import FeatvizError, in_one_line
from featviz.priors.denoiser import Denoiser
from featviz.priors.unet import DenoiserConfig, init_weights

FORMAT = "featviz denoiser 1"


class PriorRecord(NamedTuple):
    """How a denoiser came about.

    Args:
      trained_on: the photographs, their sources and licenses, in words.
      steps: of the training.
      loss: on photographs that were held out, or None.
    """

    trained_on: str
    steps: int
    loss: float | None


def write_prior(path: str | os.PathLike[str], denoiser: Denoiser, record: PriorRecord) -> Path:
    """Writes a denoiser in half precision, the whole file or none.

    Args:
      path: of the file, which ends in `.safetensors`.
      denoiser: to be written.
      record: how it came about.

    Raises:
      FeatvizError: if the file cannot be written.
    """
    halves = {name: np.asarray(array, np.float16) for name, array in denoiser.weights.items()}
    metadata = {
        "format": FORMAT,
        "architecture": json.dumps(asdict(denoiser.config)),
        "trained_on": record.trained_on,
        "steps": str(record.steps),
        "loss": json.dumps(record.loss),
    }
    return write_atomic(path, array_bytes(halves, metadata))


def read_prior(path: str | os.PathLike[str]) -> tuple[Denoiser, PriorRecord]:
    """Reads a denoiser and how it came about.

    Args:
      path: a file of `write_prior`.

    Raises:
      FeatvizError: if there is no such file, or it holds no denoiser.
    """
    path = Path(path)
    expected_file = "a file of `featviz prior fit`"
    metadata, arrays = read_arrays(path, FORMAT, "a prior", missing=expected_file, other=expected_file)
    try:
        config = _read_config(json.loads(metadata["architecture"]))
        record = PriorRecord(metadata["trained_on"], int(metadata["steps"]), json.loads(metadata["loss"]))
        expected = jax.eval_shape(lambda key: init_weights(key, config), jax.random.key(0))
        shapes = {name: leaf.shape for name, leaf in expected.items()}
    except Exception as error:
        raise FeatvizError(f"`{path.name}` says nothing usable of its architecture: {in_one_line(error)}") from None
    if shapes != {name: array.shape for name, array in arrays.items()}:
        raise FeatvizError(f"`{path.name}` has weights of another architecture than it says; expected a whole file")
    if not all(array.dtype.kind == "f" and np.isfinite(array).all() for array in arrays.values()):
        raise FeatvizError(f"`{path.name}` holds weights that are not finite; expected a denoiser whose training held")
    return Denoiser(config, {name: jnp.asarray(arrays[name], jnp.float32) for name in shapes}), record


def _read_config(values: dict[str, Any]) -> DenoiserConfig:
    known = {field.name for field in fields(DenoiserConfig)}
    numbers: dict[str, Any] = {name: value for name, value in values.items() if name in known}
    return DenoiserConfig(**{**numbers, "widths": tuple(numbers["widths"])})
