"""A network's weights out of what training has at hand: a module, a train state, a checkpoint on the disk."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from featviz.errors import FeatvizError, in_one_line, nearest
from featviz.model import Model, Weights
from featviz.rendering.checks import check_weights

# How a path is written in messages, and the name of a variable's array within nnx's own checkpoints.
Names = tuple[str, ...]
VALUE = "value"
# What marks a folder as a tree that Orbax has written.
ORBAX = "_METADATA"
# And what is in the name of one that it has not finished.
UNFINISHED = "orbax-checkpoint-tmp"


def weights_in(model: Model, given: Any, *, name: str) -> Weights:
    """The weights of `model` within `given`: the tree itself, or a part of it such as a train state's.

    A Flax nnx module gives its own; any other tree is searched for the names of the model's weights, the nearest to its
    root. linen's `params` may stand there without their collection's name. `name` is what messages call it.

    >>> import featviz as fv
    >>> model = fv.load("patterns")
    >>> found = weights_in(model, {"step": 3, "ema": model.weights["params"]}, name="state")
    >>> list(found)
    ['params']

    Raises: FeatvizError if an array is missing, or has another shape or dtype.
    """
    structure: Any = jax.tree.structure(model.weights)
    if jax.tree.structure(given) == structure:
        return check_weights(model, given)
    found = _named(_opened(given))
    wanted = list(_named(model.weights))
    depths = sorted({path[:depth] for path in found for depth in range(len(path))}, key=len)
    for short in (0, 1):
        for root in depths:
            paths = [root + path[short:] for path in wanted]
            if len(set(paths)) == len(paths) and all(path in found for path in paths):
                return check_weights(model, jax.tree.unflatten(structure, [found[path] for path in paths]))
    missing = next(path for path in wanted if path not in found)
    raise FeatvizError(
        f"`{name}` lacks `{'/'.join(missing)}` of {model.name}; "
        f"{nearest('/'.join(missing), ['/'.join(path) for path in found])}"
    )


def read_checkpoint(path: str | os.PathLike[str]) -> Any:
    """The tree of arrays of a safetensors file, or of a folder that Orbax has written.

    Raises: FeatvizError if there is nothing of the kind, or it cannot be read.
    """
    source = Path(path)
    try:
        if source.is_file() and source.suffix == ".safetensors":
            from safetensors.numpy import load_file

            return _nested(load_file(source))
        folder = next((each for each in (source, *sorted(source.glob("*/"))) if (each / ORBAX).exists()), None)
        if folder is not None:
            return _read_orbax(folder.resolve())
    # Whatever the readers meet in a damaged file.
    except Exception as error:
        raise FeatvizError(f"the checkpoint `{source.name}` cannot be read: {in_one_line(error)}") from error
    raise FeatvizError(f"`{source.name}` is no checkpoint; expected a .safetensors file, or a folder of Orbax's")


def steps_of(folder: str | os.PathLike[str]) -> list[Path]:
    """The checkpoints within a folder, by the numbers in their names, the last ones of these.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("run-10", "run-9", "logs"):
    ...         _ = Path(folder, name).with_suffix(".safetensors" if "run" in name else ".txt").write_bytes(b"")
    ...     [path.stem for path in steps_of(folder)]
    ['run-9', 'run-10']

    Raises: FeatvizError if there is none.
    """
    root = Path(folder)
    if not root.is_dir():
        raise FeatvizError(f"there is no folder `{root.name}` of checkpoints")
    found = [path for path in root.iterdir() if _is_checkpoint(path)]
    if not found:
        raise FeatvizError(f"the folder `{root.name}` holds no checkpoints, of Orbax or in .safetensors")
    return sorted(found, key=lambda path: (_number(path), path.name))


def _is_checkpoint(path: Path) -> bool:
    if UNFINISHED in path.name:
        return False
    if path.is_dir():
        return any((each / ORBAX).exists() for each in (path, *path.glob("*/")))
    return path.suffix == ".safetensors"


def _number(path: Path) -> int:
    digits = "".join(c if c.isdigit() else " " for c in path.stem).split()
    return int(digits[-1]) if digits else -1


def _read_orbax(folder: Path) -> Any:
    import orbax.checkpoint as ocp

    reader = ocp.PyTreeCheckpointer()
    tree = reader.metadata(folder).item_metadata.tree
    # As arrays of the host, whatever devices they were written from.
    options = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), tree)
    return reader.restore(folder, restore_args=options)


def _nested(flat: Mapping[str, np.ndarray]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, array in flat.items():
        *above, last = name.split("/")
        place = tree
        for part in above:
            place = place.setdefault(part, {})
        place[last] = array
    return tree


def _opened(given: Any) -> Any:
    """An nnx module's weights; anything else as it is."""
    from flax import nnx

    if isinstance(given, nnx.Module | nnx.State):
        from featviz.adapters.nnx import weights_of

        return weights_of(given)
    return given


def _named(tree: Any) -> dict[Names, Any]:
    """The arrays of a tree by the names on their way, the same for a dict and for an object."""
    found = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        names = tuple(jax.tree_util.keystr((entry,), simple=True) for entry in path)
        found[names[:-1] if names and names[-1] == VALUE else names] = leaf
    return found
