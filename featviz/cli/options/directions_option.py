"""`--directions FILE[:TENSOR]`: an array whose rows are directions in the space of a layer's units."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from featviz.errors import FeatvizError, in_one_line, suggest

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

directions_option = click.option(
    "--directions",
    metavar="FILE[:TENSOR]",
    help="Take UNITS as rows of the array in a .npy file, or of a tensor in a .safetensors file: probes, principal "
    "components, a sparse autoencoder's decoder or encoder.",
)


def read_directions(text: str, units: int) -> "Float[np.ndarray, 'count units']":
    """The directions of a file; an array of shape (units, count) is transposed.

    Args:
      text: `FILE` or `FILE:TENSOR`.
      units: how many units the layer has.

    Returns:
      float32, one row for each direction.

    Raises:
      FeatvizError: for a file that cannot be read, a tensor that it lacks, or an array of another shape.
    """
    import numpy as np

    name, _, tensor = text.rpartition(":") if not Path(text).exists() and ":" in text else (text, "", "")
    path = Path(name)
    try:
        array = _read_tensor(path, tensor) if path.suffix == ".safetensors" else np.load(path, allow_pickle=False)
    except FeatvizError:
        raise
    except Exception as error:
        raise FeatvizError(f"--directions: `{path.name}` cannot be read: {in_one_line(error)}") from None
    # An archive has no shape; what holds objects is refused by NumPy itself.
    if not isinstance(array, np.ndarray) or not np.issubdtype(array.dtype, np.number):
        raise FeatvizError(f"--directions: `{path.name}` holds no array of numbers; expected shape (count, {units})")
    rows = array[None] if array.ndim == 1 else array
    if rows.ndim == 2 and rows.shape[1] != units and rows.shape[0] == units:
        rows = rows.T
    if rows.ndim != 2 or rows.shape[1] != units:
        raise FeatvizError(
            f"--directions: `{path.name}` has shape {array.shape}; expected (count, {units}), one direction a row"
        )
    rows = rows.astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1)
    if not np.all(np.isfinite(lengths)) or not np.all(lengths > 0):
        raise FeatvizError(f"--directions: row {int(np.argmin(lengths > 0))} of `{path.name}` is zero or not finite")
    return rows


def _read_tensor(path: Path, tensor: str) -> "np.ndarray":
    import safetensors

    with safetensors.safe_open(path, framework="numpy") as tensors:
        names = list(tensors.keys())
        if not tensor and len(names) == 1:
            tensor = names[0]
        if tensor not in names:
            problem = f"has no tensor `{tensor}`" if tensor else "has several tensors"
            raise FeatvizError(f"--directions: `{path.name}` {problem}; {suggest(tensor, names)}")
        return tensors.get_tensor(tensor)
