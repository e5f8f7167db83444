"""A network through a door of featviz and in its own framework: every value that both name, compared."""

import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

import featviz as fv
from featviz.model import OUTPUT


class Value(NamedTuple):
    """What a framework computes somewhere in its network; `axis` holds the units, None where the layer does not say."""

    array: np.ndarray
    axis: int | None = None


class Case(NamedTuple):
    """A network in both forms.

    Attributes:
        size: The images' height and width.
        adapt: Makes the Model.
        reference: The framework's own values for images (n, h, w, c), by featviz's names; OUTPUT is among them.
        channels: How many the images have.
    """

    size: tuple[int, int]
    adapt: Callable[[], fv.Model]
    reference: Callable[[np.ndarray], dict[str, Value]]
    channels: int = 3


class Network(NamedTuple):
    """A network of the table: where it comes from, the door it goes through, how it is made."""

    name: str
    library: str
    door: str
    make: Callable[[], Case]


def compare(case: Case) -> dict[str, Any]:
    """What a row of the table says of a network.

    Returns:
        The numbers of the framework's values, of the Model's layers, of the compared; the worst relative error and its
        layer; whether the output was compared; the processor's seconds of the adaptation; the values that are no
        layers, by reason; whether the framework's network computes the same to the bit as before; what the adapter
        warned of.
    """
    generator = np.random.default_rng(0)
    images, others = (generator.random((2, *case.size, case.channels), np.float32) for _ in range(2))
    theirs, theirs_of_others = case.reference(images), case.reference(others)
    start = time.process_time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        # What the adapter says of the network, not what libraries say of each other.
        warnings.filterwarnings("always", message=".*(ends behind|draws random|`)")
        model = case.adapt()
    seconds = time.process_time() - start
    after = case.reference(images)
    ours = {name: np.asarray(array) for name, array in jax.jit(model.apply)(model.weights, images).items()}
    said = [str(warning.message) for warning in caught]
    # The output of a network that ends early is a layer's.
    compared = ours.keys() - ({OUTPUT} if any("ends behind" in message for message in said) else set())
    errors = {name: relative_error(ours[name], value) for name, value in theirs.items() if name in compared}
    worst = max(errors, key=lambda name: errors[name])
    absent: dict[str, list[str]] = {}
    for name, value in theirs.items():
        if name not in ours:
            absent.setdefault(_why_absent(value.array, theirs_of_others.get(name)), []).append(name)
    return {
        "values": len(theirs) - 1,
        "layers": len(model.layers),
        "compared": len(errors.keys() - {OUTPUT}),
        "worst": float(errors[worst]),
        "layer": worst,
        "output": OUTPUT in errors,
        "seconds": seconds,
        "absent": absent,
        "unchanged": _same(theirs, after),
        "said": said,
    }


def relative_error(ours: np.ndarray, theirs: Value) -> float:
    """max|a - b| / max|b| in the arrangement of (n, *positions, units) that fits; infinity where none does.

    >>> relative_error(np.ones((2, 5, 3)), Value(np.ones((2, 3, 5)), axis=1))
    0.0
    >>> relative_error(np.ones((2, 5, 3)), Value(np.ones((2, 3, 5)), axis=2))
    inf
    """
    return min(
        (_difference(ours, each) for each in _arrangements(theirs, ours.shape) if each.shape == ours.shape),
        default=np.inf,
    )


def _arrangements(value: Value, shape: tuple[int, ...]) -> list[np.ndarray]:
    """A framework's array with units last: on the axis that it names, or on any.

    Where the images are not on the first axis they are on another, alone (tokens, images, units) or with the windows
    that each is cut into (images * windows, tokens, units).
    """
    array, images = value.array, shape[0]
    whole = [array] if array.shape[:1] == (images,) else []
    for axis, size in enumerate(array.shape[: max(1, array.ndim - 1)]) if not whole else ():
        if size == images:
            whole.append(np.moveaxis(array, axis, 0))
        elif size % images == 0:
            sizes = (*array.shape[:axis], images, size // images, *array.shape[axis + 1 :])
            whole.append(np.moveaxis(array.reshape(sizes), axis, 0))
    # Counted from the end, where the images leave an axis what it was.
    axes = None if value.axis is None else [value.axis % array.ndim - array.ndim]
    return [np.moveaxis(each, axis, -1) for each in whole for axis in axes or range(1, each.ndim)]


def _difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    finite = np.isfinite(theirs)
    if not np.array_equal(ours[~finite], theirs[~finite], equal_nan=True):
        return np.inf
    scale = np.abs(theirs[finite]).max(initial=0.0)
    return float(np.abs(ours[finite] - theirs[finite]).max(initial=0.0) / max(scale, 1e-6))


def _same(before: Mapping[str, Value], after: Mapping[str, Value]) -> bool:
    return before.keys() == after.keys() and all(
        np.array_equal(value.array, after[name].array, equal_nan=True) for name, value in before.items()
    )


def _why_absent(array: np.ndarray, of_others: Value | None) -> str:
    if of_others is not None and np.array_equal(array, of_others.array):
        return "the same for every image"
    if not np.issubdtype(array.dtype, np.floating):
        return f"of type {array.dtype}"
    if array.ndim < 2:
        return "one number an image" if array.ndim else "one number"
    if array.shape[0] != 2:
        return f"of {array.shape[0]} rows for 2 images"
    return "unexplained"
