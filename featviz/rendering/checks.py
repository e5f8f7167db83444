"""What render refuses before any work starts, each in one line."""

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from featviz.errors import FeatvizError, nearest
from featviz.model import BEFORE_RELU, IMAGE, OUTPUT, Model, require_model
from featviz.model.shapes import shapes_for
from featviz.objectives import Objective
from featviz.pictures.picture import Picture
from featviz.recipes import Recipe

SMALLEST_SIZE, LARGEST_SIZE = 8, 4096

Size = int | tuple[int, int]


def check_count(name: str, value: int, least: int, most: int) -> int:
    """A whole number within bounds."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not least <= value <= most:
        raise FeatvizError(f"`{name}` is {value!r}; expected a whole number from {least} to {most}")
    return int(value)


def check_dtype(dtype: Any) -> str:
    """The name of the dtype of the network's values."""
    known = ("float32", "bfloat16")
    try:
        name = "float32" if dtype is None else jnp.dtype(dtype).name
    except TypeError:
        name = str(dtype)
    if name not in known:
        raise FeatvizError(f"`dtype` is {name}; expected {' or '.join(known)}")
    return name


def check_image(name: str, image: np.ndarray | Picture, model: Model) -> np.ndarray:
    """An image for a network as float32, (height, width, channels), in [0,1]."""
    require_model(model)
    image = np.asarray(image.pixels if isinstance(image, Picture) else image)
    if image.ndim != 3 or image.shape[-1] != model.input.channels:
        raise FeatvizError(
            f"`{name}` has shape {image.shape}; expected (height, width, {model.input.channels}) for {model.name}"
        )
    if not np.issubdtype(image.dtype, np.floating) or not (image.min() >= 0 and image.max() <= 1):
        raise FeatvizError(f"`{name}` is {image.dtype} from {image.min()} to {image.max()}; expected floats in [0,1]")
    return image.astype(np.float32)


def require_objective(name: str, given: Any) -> Objective:
    """The objective that was given."""
    if isinstance(given, Objective):
        return given
    layer, _, unit = given.rpartition(":") if isinstance(given, str) else ("", "", "")
    example = f"fv.channel({layer!r}, {unit})" if layer and unit.isdecimal() else "fv.channel('conv1', 3)"
    if inspect.isroutine(given):
        example = "fv.function(f, 'conv1', name='mine')"
    found = repr(given) if isinstance(given, str | int | float | None) else f"a {type(given).__name__}"
    raise FeatvizError(f"`{name}` is {found}; expected an Objective, such as {example}")


def as_objectives(name: str, given: Any) -> list[Objective]:
    """One objective or several, as a list."""
    if isinstance(given, Objective | str) or not isinstance(given, Iterable):
        return [require_objective(name, given)]
    return [require_objective(f"{name}[{number}]", each) for number, each in enumerate(given)]


def check_starts(start: Any, model: Model, count: int) -> list[np.ndarray]:
    """The image that each of `count` objectives starts from, all of one size; none where there is no start."""
    if start is None:
        return []
    if not isinstance(start, list | tuple):
        return [check_image("start", start, model)] * count
    images = [check_image("start", image, model) for image in start]
    if len(images) != count or len({image.shape for image in images}) > 1:
        raise FeatvizError(
            f"`start` has {len(images)} images, the first of {images[0].shape[:2] if images else 0}; expected {count}, "
            "one an objective, of one size"
        )
    return images


def check_fidelity(model: Model, recipe: Recipe) -> None:
    """A recipe's fidelity has a weight of sense and a layer that exists, and the recipe has no stages."""
    fidelity = recipe.fidelity
    if fidelity is None:
        return
    if not 0 <= fidelity.weight < float("inf"):
        raise FeatvizError(f"`fidelity` has the weight {fidelity.weight}; expected a number of 0 or more, such as 1.0")
    if fidelity.layer not in (None, IMAGE, OUTPUT):
        model.layer(fidelity.layer)
    if recipe.stages:
        raise FeatvizError("`recipe` has stages and fidelity to its start; expected one or the other")


def check_size(size: Size | None, start: np.ndarray | None) -> tuple[int, int]:
    """The height and width of the pictures."""
    if size is None:
        assert start is not None
        size = (int(start.shape[0]), int(start.shape[1]))
    sides = size if isinstance(size, tuple | list) else (size, size)
    if len(sides) != 2:
        raise FeatvizError(f"`size` is {size!r}; expected a number of pixels or (height, width)")
    height, width = (check_count("size", side, SMALLEST_SIZE, LARGEST_SIZE) for side in sides)
    if start is not None and start.shape[:2] != (height, width):
        raise FeatvizError(f"`start` is {start.shape[0]}x{start.shape[1]} pixels; expected {height}x{width}")
    return height, width


def check_weights(model: Model, weights: Any) -> Any:
    """The weights to run: the model's own, or others of the same structure, shapes and dtypes."""
    if weights is None:
        return model.weights
    expected, found = (
        {jax.tree_util.keystr(path): (np.shape(leaf), np.dtype(leaf.dtype)) for path, leaf in leaves}
        for leaves in map(jax.tree_util.tree_leaves_with_path, (model.weights, weights))
    )
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise FeatvizError(
                f"`weights` has {name} as {found.get(name)}; expected {expected.get(name)}, as in {model.name}"
            )
    return weights


def check_objectives(model: Model, objectives: Sequence[Objective], shape: tuple[int, ...]) -> None:
    """Every layer exists, every unit and position is inside its layer at this picture size."""
    names = dict.fromkeys(name for objective in objectives for name in objective.layers)
    known = [layer.name for layer in model.layers]
    for name in names:
        if name.removesuffix(BEFORE_RELU) not in known and name not in (IMAGE, OUTPUT):
            raise FeatvizError(f"{model.name} has no layer `{name}`; {nearest(name, known)}")
    try:
        sizes = shapes_for(model, tuple(names), shape)
    except FeatvizError:
        raise
    except Exception as error:
        line = str(error).strip().splitlines()[0]
        size = "x".join(map(str, shape[1:3]))
        raise FeatvizError(f"{model.name} cannot run on pictures of `size` {size}: {line}") from error
    for name in names:
        if 0 in sizes[name]:
            size = "x".join(map(str, shape[1:3]))
            raise FeatvizError(f"{model.name} cannot run on pictures of `size` {size}: nothing is left of {name}")
    for objective in objectives:
        for term in objective.terms:
            term.check(sizes)
