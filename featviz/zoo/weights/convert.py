"""From the tensors of an official file to our network's tree: other names, other orders of axes."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from featviz.errors import FeatvizError, nearest

# How PyTorch calls what Flax calls otherwise.
LEAVES = {"kernel": "weight", "scale": "weight", "mean": "running_mean", "var": "running_var"}
# How Keras calls a batch norm's arrays.
KERAS_NORM = {"scale": "gamma", "bias": "beta", "mean": "moving_mean", "var": "moving_variance"}
# PyTorch's order of a kernel's axes in that of Flax: a dense layer's, a convolution's of one axis and of two.
ORDERS = {2: (1, 0), 3: (2, 1, 0), 4: (2, 3, 1, 0)}
# What PyTorch stores beside the weights.
COUNTERS = r"(^|\.)num_batches_tracked$"
# The tensor's name in our network, itself, and the shape it is to have -> it in our order of axes.
Axes = Callable[[str, np.ndarray, tuple[int, ...]], np.ndarray]


def torch_name(path: str) -> str:
    """PyTorch's name of a tensor of ours.

    >>> torch_name("layer1/0/bn1/mean"), torch_name("features/0/kernel"), torch_name("cls_token")
    ('layer1.0.bn1.running_mean', 'features.0.weight', 'cls_token')
    """
    *modules, leaf = path.split("/")
    return ".".join([*modules, LEAVES.get(leaf, leaf)])


def keras_tensor(layer: str, leaf: str, *, norm: bool) -> str:
    """Keras's name of a tensor of ours, of a layer that is called so there and may be a batch norm.

    >>> keras_tensor("conv1", "bias", norm=False), keras_tensor("bn1", "bias", norm=True)
    ('conv1/bias:0', 'bn1/beta:0')
    """
    return f"{layer}/{KERAS_NORM.get(leaf, leaf) if norm else leaf}:0"


def torch_axes(path: str, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A kernel with PyTorch's order of axes, or Caffe's, which is the same, in ours; what is no kernel stays as it is.

    >>> torch_axes("conv1/kernel", np.zeros((64, 3, 7, 7)), (7, 7, 3, 64)).shape
    (7, 7, 3, 64)
    """
    if path.rsplit("/", 1)[-1] != "kernel":
        return array
    # A dense layer that the file has as a convolution of one place, and the other way about.
    if array.ndim == 4 and len(shape) == 2 and array.shape[2:] == (1, 1):
        array = array[:, :, 0, 0]
    if array.ndim == 2 and len(shape) == 4 and shape[:2] == (1, 1):
        array = array[:, :, None, None]
    return array.transpose(ORDERS[array.ndim]) if array.ndim in ORDERS else array


def keras_axes(path: str, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A tensor of Keras's as it is: its kernels have our order of axes.

    >>> keras_axes("conv1/kernel", np.zeros((7, 7, 3, 64)), (7, 7, 3, 64)).shape
    (7, 7, 3, 64)
    """
    return array


def convert(
    tensors: Mapping[str, np.ndarray],
    template: Mapping[str, Any],
    *,
    file: str,
    names: Callable[[str], str] | None = None,
    axes: Axes | None = None,
    ignored: Sequence[str] = (),
    ones: Sequence[str] = (),
) -> dict[str, Any]:
    """The network's tree, float32, of tensors with a file's names and a file's order of axes.

    `template` is a nested dict of `jax.ShapeDtypeStruct`; `names` gives a tensor's name in the file for our own, `axes`
    the tensor in our order of axes, by default PyTorch's both; tensors that match one of `ignored`, regular
    expressions, may be there as well, and those of ours that match one of `ones` are not there but are 1. A tensor that
    has our number of values in a row of other axes of size 1 is reshaped.

    Raises: FeatvizError, one line, for a tensor that is missing, too many, of another shape, or not finite.
    """
    naming, turn = names or torch_name, axes or torch_axes
    leaves = flatten_dict(template, sep="/")
    tree: dict[str, Any] = {
        path: np.ones(leaf.shape, np.float32)
        for path, leaf in leaves.items()
        if any(re.search(pattern, path) for pattern in ones)
    }
    wanted = {naming(path): (path, leaf) for path, leaf in leaves.items() if path not in tree}
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
    for name, (path, leaf) in wanted.items():
        array = np.asarray(tensors[name])
        turned = _fitted(array, tuple(leaf.shape), path, turn)
        if turned is None:
            raise FeatvizError(f"`weights`: `{file}` has `{name}` of shape {array.shape}; it does not fit {leaf.shape}")
        if not np.all(np.isfinite(turned)):
            raise FeatvizError(
                f"`weights`: `{file}` has values in `{name}` that are not finite; expected numbers alone"
            )
        tree[path] = turned
    return unflatten_dict(tree, sep="/")


def _fitted(array: np.ndarray, shape: tuple[int, ...], path: str, turn: Axes) -> np.ndarray | None:
    """The tensor in our order of axes, or None if it cannot have our shape."""
    if not np.issubdtype(array.dtype, np.floating):
        return None
    array = turn(path, array, shape)
    if array.shape != shape and [n for n in array.shape if n > 1] == [n for n in shape if n > 1]:
        array = array.reshape(shape)
    return np.ascontiguousarray(array, dtype=np.float32) if array.shape == shape else None
