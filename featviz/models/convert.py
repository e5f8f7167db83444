"""From the tensors of an official file to our network's tree: other names, other orders of axes."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from featviz.errors import FeatvizError, nearest

# How PyTorch calls what Flax calls otherwise.
LEAVES = {"kernel": "weight", "scale": "weight", "mean": "running_mean", "var": "running_var"}
# PyTorch's order of a kernel's axes in that of Flax: a dense layer's, a convolution's of one axis and of two.
ORDERS = {2: (1, 0), 3: (2, 1, 0), 4: (2, 3, 1, 0)}
# What PyTorch stores beside the weights.
COUNTERS = r"(^|\.)num_batches_tracked$"


def torch_name(path: str) -> str:
    """PyTorch's name of a tensor of ours.

    >>> torch_name("layer1/0/bn1/mean"), torch_name("features/0/kernel"), torch_name("cls_token")
    ('layer1.0.bn1.running_mean', 'features.0.weight', 'cls_token')
    """
    *modules, leaf = path.split("/")
    return ".".join([*modules, LEAVES.get(leaf, leaf)])


def convert(
    tensors: Mapping[str, np.ndarray],
    template: Mapping[str, Any],
    *,
    file: str,
    names: Callable[[str], str] | None = None,
    ignored: Sequence[str] = (),
) -> dict[str, Any]:
    """The network's tree, float32, of tensors with a file's names and PyTorch's order of axes.

    `template` is a nested dict of `jax.ShapeDtypeStruct`; `names` gives a tensor's name in the file for our own, by
    default PyTorch's; tensors that match one of `ignored`, regular expressions, may be there as well. A tensor that has
    our number of values in a row of other axes of size 1 is reshaped.

    Raises: FeatvizError, one line, for a tensor that is missing, too many, of another shape, or not finite.
    """
    naming = torch_name if names is None else names
    wanted = {naming(path): (path, leaf) for path, leaf in flatten_dict(template, sep="/").items()}
    passed = re.compile("|".join([COUNTERS, *ignored]))
    extra = [name for name in tensors if name not in wanted and not passed.search(name)]
    missing = [name for name in wanted if name not in tensors]
    if missing:
        many = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        hint = f"; {nearest(missing[0], extra)}" if extra else ""
        raise FeatvizError(f"`weights`: `{file}` lacks the tensor `{missing[0]}`{many} of {len(wanted)} expected{hint}")
    if extra:
        many = f" and {len(extra) - 1} more" if len(extra) > 1 else ""
        raise FeatvizError(f"`weights`: `{file}` holds the tensor `{extra[0][:80]}`{many}, which the network lacks")
    tree: dict[str, Any] = {}
    for name, (path, leaf) in wanted.items():
        array = np.asarray(tensors[name])
        turned = _turn(array, path.rsplit("/", 1)[-1], tuple(leaf.shape))
        if turned is None:
            raise FeatvizError(f"`weights`: `{file}` has `{name}` of shape {array.shape}; it does not fit {leaf.shape}")
        if not np.all(np.isfinite(turned)):
            raise FeatvizError(
                f"`weights`: `{file}` has values in `{name}` that are not finite; expected numbers alone"
            )
        tree[path] = turned
    return unflatten_dict(tree, sep="/")


def _turn(array: np.ndarray, leaf: str, shape: tuple[int, ...]) -> np.ndarray | None:
    """The tensor in our order of axes, or None if it cannot have our shape."""
    if not np.issubdtype(array.dtype, np.floating):
        return None
    if leaf == "kernel":
        # A dense layer that the file has as a convolution of one place, and the other way about.
        if array.ndim == 4 and len(shape) == 2 and array.shape[2:] == (1, 1):
            array = array[:, :, 0, 0]
        if array.ndim == 2 and len(shape) == 4 and shape[:2] == (1, 1):
            array = array[:, :, None, None]
        array = array.transpose(ORDERS[array.ndim]) if array.ndim in ORDERS else array
    if array.shape != shape and [n for n in array.shape if n > 1] == [n for n in shape if n > 1]:
        array = array.reshape(shape)
    return np.ascontiguousarray(array, dtype=np.float32) if array.shape == shape else None
