"""`--directions FILE[:TENSOR]`: an array whose rows are directions in the space of a layer's units."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from featviz.errors import FeatvizError, in_one_line, suggest

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

# Names of tensors that one line lists.
MAX_NAMED = 6

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
    for note in describe_directions(path, tensor, array.shape):
        click.echo(f"featviz: --directions: {note}", err=True)
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


def describe_directions(path: Path, tensor: str, shape: tuple[int, ...]) -> list[str]:
    """What the user should know of how directions are read: their orientation, and what lies beside them unused."""
    notes = []
    if len(shape) == 2 and shape[0] == shape[1] > 1:
        name = f"`{tensor}` of `{path.name}`" if tensor else f"`{path.name}`"
        notes.append(
            f"{name} is square, {shape[0]}x{shape[1]}: its rows are taken; expected the transposed array if the "
            "directions are its columns, as in many encoders"
        )
    unused = _vectors_beside(path, tensor) if path.suffix == ".safetensors" else []
    if unused:
        listed = ", ".join(f"`{name}`" for name in unused[:MAX_NAMED]) + " ..." * (len(unused) > MAX_NAMED)
        notes.append(
            f"`{path.name}` also holds {listed}, which are not applied: a picture maximizes the product of the "
            "direction and the units, without biases and thresholds"
        )
    return notes


def _vectors_beside(path: Path, tensor: str) -> list[str]:
    """The names of the biases, thresholds, scales and means in the file of a tensor: what has one axis or none."""
    import safetensors

    with safetensors.safe_open(path, framework="numpy") as tensors:
        return [
            name for name in sorted(tensors.keys()) if name != tensor and len(tensors.get_slice(name).get_shape()) < 2
        ]


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
