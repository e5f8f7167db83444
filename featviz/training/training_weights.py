"""A network's weights out of what training has at hand: a module, a train state, a checkpoint on the disk."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from featviz.errors import FeatvizError, in_one_line, suggest
from featviz.model import Model, Weights, network_alone
from featviz.rendering.checks import check_weights

# The names on the way to an array of a tree.
Names = tuple[str, ...]
# The name of a variable's array within nnx's own checkpoints.
VALUE = "value"
# The file that marks a folder as a tree written by Orbax.
ORBAX = "_METADATA"
# Part of the name of a folder that Orbax has not finished.
UNFINISHED = "orbax-checkpoint-tmp"


def weights_in(model: Model, given: Any, *, name: str) -> Weights:
    """The weights of `model` within `given`: the tree itself, or a part of it such as a train state's.

    A Flax nnx module gives its own. Any other tree is searched for the names of the model's weights, from its root
    downwards. linen's `params` may come without the name of their collection. `name` is what messages call the tree.

    >>> import featviz as fv
    >>> model = fv.load("patterns")
    >>> weights = weights_in(model, {"step": 3, "ema": model.weights["params"]}, name="state")
    >>> list(weights)
    ['params']

    Raises: FeatvizError if an array is missing, or has another shape or dtype.
    """
    structure: Any = jax.tree.structure(model.weights)
    alone = network_alone(model)
    if alone.weights is not model.weights and jax.tree.structure(given) != structure:
        return check_weights(model, weights_in(alone, given, name=name))
    if jax.tree.structure(given) == structure:
        return check_weights(model, given)
    arrays = _by_path(_unwrap(given))
    expected = list(_by_path(model.weights))
    roots = sorted({path[:depth] for path in arrays for depth in range(len(path))}, key=len)
    for dropped in (0, 1):
        for root in roots:
            paths = [root + path[dropped:] for path in expected]
            if len(set(paths)) == len(paths) and all(path in arrays for path in paths):
                return check_weights(model, jax.tree.unflatten(structure, [arrays[path] for path in paths]))
    missing = next(path for path in expected if path not in arrays)
    raise FeatvizError(
        f"`{name}` lacks `{'/'.join(missing)}` of {model.name}; "
        f"{suggest('/'.join(missing), ['/'.join(path) for path in arrays])}"
    )


def read_checkpoint(path: str | os.PathLike[str]) -> Any:
    """The tree of arrays of a safetensors file, or of a folder written by Orbax.

    Raises: FeatvizError if it is neither, or cannot be read.
    """
    source = Path(path)
    try:
        if source.is_file() and source.suffix == ".safetensors":
            from safetensors.numpy import load_file

            return _nested(load_file(source))
        folder = next((path for path in (source, *sorted(source.glob("*/"))) if (path / ORBAX).exists()), None)
        if folder is not None:
            return _read_orbax(folder.resolve())
    # The readers raise errors of many kinds for a damaged file.
    except Exception as error:
        raise FeatvizError(f"the checkpoint `{source.name}` cannot be read: {in_one_line(error)}") from error
    raise FeatvizError(f"`{source.name}` is no checkpoint; expected a .safetensors file, or a folder written by Orbax")


def checkpoints_in(folder: str | os.PathLike[str]) -> list[Path]:
    """The checkpoints within a folder, in the order of the last number in their names.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("run-10", "run-9", "logs"):
    ...         _ = Path(folder, name).with_suffix(".safetensors" if "run" in name else ".txt").write_bytes(b"")
    ...     [path.stem for path in checkpoints_in(folder)]
    ['run-9', 'run-10']

    Raises: FeatvizError if there is none.
    """
    root = Path(folder)
    if not root.is_dir():
        raise FeatvizError(f"there is no folder `{root.name}` of checkpoints")
    checkpoints = [path for path in root.iterdir() if _is_checkpoint(path)]
    if not checkpoints:
        raise FeatvizError(
            f"the folder `{root.name}` holds no checkpoints; expected folders written by Orbax, or .safetensors files"
        )
    return sorted(checkpoints, key=lambda path: (_last_number(path), path.name))


def _is_checkpoint(path: Path) -> bool:
    if UNFINISHED in path.name:
        return False
    if path.is_dir():
        return any((folder / ORBAX).exists() for folder in (path, *path.glob("*/")))
    return path.suffix == ".safetensors"


def _last_number(path: Path) -> int:
    digits = "".join(c if c.isdigit() else " " for c in path.stem).split()
    return int(digits[-1]) if digits else -1


def _read_orbax(folder: Path) -> Any:
    import orbax.checkpoint as ocp

    reader = ocp.PyTreeCheckpointer()
    tree = reader.metadata(folder).item_metadata.tree
    # As numpy arrays, whatever devices they were written from.
    options = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), tree)
    return reader.restore(folder, restore_args=options)


def _nested(flat: Mapping[str, np.ndarray]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, array in flat.items():
        *parents, last = name.split("/")
        branch = tree
        for part in parents:
            branch = branch.setdefault(part, {})
        branch[last] = array
    return tree


def _unwrap(given: Any) -> Any:
    """The weights of an nnx module; anything else unchanged."""
    from flax import nnx

    if isinstance(given, nnx.Module | nnx.State):
        from featviz.adapters.nnx import weights_of

        return weights_of(given)
    return given


def _by_path(tree: Any) -> dict[Names, Any]:
    """The arrays of a tree by the names on their way, the same for a dict and for an object."""
    arrays = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        names = tuple(jax.tree_util.keystr((entry,), simple=True) for entry in path)
        arrays[names[:-1] if names and names[-1] == VALUE else names] = leaf
    return arrays
