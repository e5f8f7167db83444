"""From the tensors of an official file to our network's tree: names and orders of axes converted."""

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from featviz.errors import FeatvizError, suggest
from featviz.zoo.weights.load import ArrayTree, ShapeTree

# PyTorch's names of parameters, for Flax's.
LEAVES = {"kernel": "weight", "scale": "weight", "mean": "running_mean", "var": "running_var"}
# Keras's names of a batch norm's arrays.
KERAS_NORM = {"scale": "gamma", "bias": "beta", "mean": "moving_mean", "var": "moving_variance"}
# From PyTorch's order of a kernel's axes to Flax's: of dense layers, of convolutions in one and in two dimensions.
ORDERS = {2: (1, 0), 3: (2, 1, 0), 4: (2, 3, 1, 0)}
# Counters that PyTorch stores beside the weights.
COUNTERS = r"(^|\.)num_batches_tracked$"
# (name in our network, tensor, our shape) -> the tensor in our order of axes.
Axes = Callable[[str, np.ndarray, tuple[int, ...]], np.ndarray]


def torch_name(path: str) -> str:
    """PyTorch's name for the tensor at a path of our network.

    >>> torch_name("layer1/0/bn1/mean"), torch_name("features/0/kernel"), torch_name("cls_token")
    ('layer1.0.bn1.running_mean', 'features.0.weight', 'cls_token')
    """
    *modules, leaf = path.split("/")
    return ".".join([*modules, LEAVES.get(leaf, leaf)])


def keras_tensor(layer: str, leaf: str, *, norm: bool) -> str:
    """Keras's name for a tensor of a layer, which has the name `layer` there and may be a batch norm.

    >>> keras_tensor("conv1", "bias", norm=False), keras_tensor("bn1", "bias", norm=True)
    ('conv1/bias:0', 'bn1/beta:0')
    """
    return f"{layer}/{KERAS_NORM.get(leaf, leaf) if norm else leaf}:0"


def torch_axes(path: str, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A kernel from PyTorch's order of axes, which is Caffe's too, to ours; other tensors stay as they are.

    >>> torch_axes("conv1/kernel", np.zeros((64, 3, 7, 7)), (7, 7, 3, 64)).shape
    (7, 7, 3, 64)
    """
    if path.rsplit("/", 1)[-1] != "kernel":
        return array
    # Our dense layer may be a 1x1 convolution in the file, and the reverse.
    if array.ndim == 4 and len(shape) == 2 and array.shape[2:] == (1, 1):
        array = array[:, :, 0, 0]
    if array.ndim == 2 and len(shape) == 4 and shape[:2] == (1, 1):
        array = array[:, :, None, None]
    return array.transpose(ORDERS[array.ndim]) if array.ndim in ORDERS else array


def keras_axes(path: str, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A tensor of Keras's unchanged: its kernels have our order of axes.

    >>> keras_axes("conv1/kernel", np.zeros((7, 7, 3, 64)), (7, 7, 3, 64)).shape
    (7, 7, 3, 64)
    """
    return array


def convert(
    tensors: Mapping[str, np.ndarray],
    template: ShapeTree,
    *,
    file: str,
    names: Callable[[str], str] | None = None,
    axes: Axes | None = None,
    ignored: Sequence[str] = (),
    ones: Sequence[str] = (),
) -> ArrayTree:
    """The network's tree, in float32, from tensors with a file's names and a file's order of axes.

    Tensors whose shapes differ from ours only in axes of size 1 are reshaped.

    Args:
        tensors: The file's tensors by name.
        template: Our tree, a nested dict of `jax.ShapeDtypeStruct`.
        file: The file's name, for messages.
        names: A tensor's name in the file for its path in our tree, by default PyTorch's.
        axes: A tensor in our order of axes, by default from PyTorch's.
        ignored: Patterns of further tensors that the file may hold.
        ones: Patterns of our tensors that are not in the file and are all 1.

    Returns:
        A nested dict of arrays.

    Raises:
        FeatvizError: For a tensor that is missing, unknown, of another shape, or not finite.
    """
    file_name, to_our_axes = names or torch_name, axes or torch_axes
    leaves = flatten_dict(template, sep="/")
    tree: dict[str, np.ndarray] = {
        path: np.ones(leaf.shape, np.float32)
        for path, leaf in leaves.items()
        if any(re.search(pattern, path) for pattern in ones)
    }
    wanted = {file_name(path): (path, leaf) for path, leaf in leaves.items() if path not in tree}
    ignorable = re.compile("|".join([COUNTERS, *ignored]))
    extra = [name for name in tensors if name not in wanted and not ignorable.search(name)]
    missing = [name for name in wanted if name not in tensors]
    if missing:
        many = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        hint = f"; {suggest(missing[0], extra)}" if extra else ""
        raise FeatvizError(f"`weights`: `{file}` lacks the tensor `{missing[0]}`{many} of {len(wanted)} expected{hint}")
    if extra:
        many = f" and {len(extra) - 1} more" if len(extra) > 1 else ""
        raise FeatvizError(f"`weights`: `{file}` holds the tensor `{extra[0][:80]}`{many}, which the network lacks")
    for name, (path, leaf) in wanted.items():
        array = np.asarray(tensors[name])
        converted = _to_shape(array, tuple(leaf.shape), path, to_our_axes)
        if converted is None:
            raise FeatvizError(
                f"`weights`: `{file}` has `{name}` of shape {array.shape}; expected {leaf.shape} in our order of axes"
            )
        if not np.all(np.isfinite(converted)):
            raise FeatvizError(
                f"`weights`: `{file}` has values in `{name}` that are not finite; expected finite numbers"
            )
        tree[path] = converted
    return unflatten_dict(tree, sep="/")


def _to_shape(array: np.ndarray, shape: tuple[int, ...], path: str, to_our_axes: Axes) -> np.ndarray | None:
    """The tensor in our order of axes, or None if it cannot have our shape."""
    if not np.issubdtype(array.dtype, np.floating):
        return None
    array = to_our_axes(path, array, shape)
    if array.shape != shape and [n for n in array.shape if n > 1] == [n for n in shape if n > 1]:
        array = array.reshape(shape)
    return np.ascontiguousarray(array, dtype=np.float32) if array.shape == shape else None
