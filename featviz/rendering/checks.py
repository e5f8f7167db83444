"""Validation of what `render` and `dream` are asked: each refusal is one line, before any work starts."""

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from featviz.common.arguments import check_count
from featviz.common.placement import gather
from featviz.errors import FeatvizError, suggest
from featviz.model import ALONG_DECODER, BEFORE_RELU, IMAGE, OUTPUT, Model, Weights, extend_weights, require_model
from featviz.model.shapes import shapes_for
from featviz.objectives import Objective
from featviz.parameterizations import Shape, extra_channels
from featviz.pictures.picture import Picture
from featviz.recipes import Recipe

SMALLEST_SIZE, LARGEST_SIZE = 8, 4096
LARGEST_SEED = 2**32 - 1
DTYPES = ("float32", "bfloat16")

# Pixels a side, or (height, width).
Size = int | tuple[int, int]
# One image to start from, or one for each objective.
Start = Float[np.ndarray, "h w c"] | Picture | Sequence[Float[np.ndarray, "h w c"] | Picture]


def check_seed(seed: int) -> int:
    """A seed that fits into 32 bits."""
    return check_count("seed", seed, 0, LARGEST_SEED)


def check_dtype(dtype: Any) -> str:
    """The name of the dtype of the network's values."""
    try:
        name = "float32" if dtype is None else jnp.dtype(dtype).name
    except TypeError:
        name = str(dtype)
    if name not in DTYPES:
        raise FeatvizError(f"`dtype` is {name}; expected {' or '.join(DTYPES)}")
    return name


def check_image(name: str, image: Float[np.ndarray, "h w c"] | Picture, model: Model) -> Float[np.ndarray, "h w c"]:
    """An image for a network as float32 in [0,1]."""
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
    """The argument itself, if it is an objective."""
    if isinstance(given, Objective):
        return given
    layer, _, unit = given.rpartition(":") if isinstance(given, str) else ("", "", "")
    example = f"fv.channel({layer!r}, {unit})" if layer and unit.isdecimal() else "fv.channel('conv1', 3)"
    if inspect.isroutine(given):
        example = "fv.function(f, 'conv1', name='mine')"
    described = repr(given) if isinstance(given, str | int | float | None) else f"a {type(given).__name__}"
    raise FeatvizError(f"`{name}` is {described}; expected an Objective, such as {example}")


def as_objectives(name: str, given: Any) -> list[Objective]:
    """One objective or several, as a list."""
    if isinstance(given, Objective | str) or not isinstance(given, Iterable):
        return [require_objective(name, given)]
    return [require_objective(f"{name}[{index}]", item) for index, item in enumerate(given)]


def check_starts(
    start: Start | None, model: Model, count: int, *, group_size: int = 1
) -> list[Float[np.ndarray, "group h w c"]]:
    """The images that the groups of `count` objectives start from, all of one size; an empty list without `start`.

    A list has one image for each objective, or one for each picture, those of a group one after another.
    """
    if start is None:
        return []
    if not isinstance(start, list | tuple):
        image = check_image("start", start, model)  # type: ignore[arg-type]  # any other sequence is refused
        return [np.broadcast_to(image, (group_size, *image.shape))] * count
    images = [check_image("start", image, model) for image in start]
    if len(images) not in (count, count * group_size) or len({image.shape for image in images}) > 1:
        of_groups = f", or {count * group_size}, one a picture," if group_size > 1 else ","
        raise FeatvizError(
            f"`start` has {len(images)} images, the first of {images[0].shape[:2] if images else 0}; expected {count}, "
            f"one an objective{of_groups} of one size"
        )
    if len(images) == count:
        return [np.broadcast_to(image, (group_size, *image.shape)) for image in images]
    return [np.stack(images[first : first + group_size]) for first in range(0, len(images), group_size)]


def check_keep(
    keep: Iterable[int] | None, start: Start | Sequence[Float[np.ndarray, "h w c"]] | None, channels: int
) -> tuple[int, ...]:
    """The channels of the start that stay as they are, ascending; there is a start to take them from."""
    if keep is None:
        return ()
    listed = list(keep) if isinstance(keep, Iterable) and not isinstance(keep, str) else [keep]
    whole = all(isinstance(index, int | np.integer) and not isinstance(index, bool) for index in listed)
    if not whole or not all(0 <= index < channels for index in listed) or len(set(listed)) >= channels:
        raise FeatvizError(f"`keep` is {keep!r}; expected some of the {channels} channels, 0 to {channels - 1}")
    if listed and start is None:
        raise FeatvizError("`keep` names channels, but there is no `start` to take them from; expected an image")
    return tuple(sorted({int(index) for index in listed}))


def check_fidelity(model: Model, recipe: Recipe) -> None:
    """A recipe's fidelity has a finite weight and an existing layer, and the recipe has no stages."""
    fidelity = recipe.fidelity
    if fidelity is None:
        return
    if not 0 <= fidelity.weight < float("inf"):
        raise FeatvizError(f"`fidelity` has the weight {fidelity.weight}; expected a number of 0 or more, such as 1.0")
    if fidelity.layer not in (None, IMAGE, OUTPUT):
        model.layer(fidelity.layer)
    if recipe.stages:
        raise FeatvizError("`recipe` has stages and fidelity to its start; expected one or the other")


def check_prior(recipe: Recipe) -> None:
    """A recipe's prior has a share from 0 to 1, and the recipe nothing that goes with none."""
    prior = recipe.prior
    if prior is None:
        return
    if not 0 <= prior.natural <= 1:
        raise FeatvizError(f"`natural` is {prior.natural}; expected a number from 0 to 1, such as 0.5")
    if recipe.fidelity is not None:
        raise FeatvizError("`recipe` has a prior and fidelity to its start; expected one or the other")
    if extra_channels(recipe.parameterization):
        raise FeatvizError("`recipe` has a prior and an alpha channel; expected one or the other")


def check_size(size: Size | None, start: Float[np.ndarray, "h w c"] | None) -> tuple[int, int]:
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


def check_weights(model: Model, weights: Weights | None) -> Weights:
    """The weights to run: the model's own, or others of the same structure, shapes and dtypes."""
    if weights is None:
        return model.weights
    weights = extend_weights(model, weights)
    expected, given = (
        {jax.tree_util.keystr(path): (np.shape(leaf), np.dtype(leaf.dtype)) for path, leaf in leaves}
        for leaves in map(jax.tree_util.tree_leaves_with_path, (model.weights, weights))
    )
    for name in sorted(expected.keys() | given.keys()):
        if expected.get(name) != given.get(name):
            raise FeatvizError(
                f"`weights` has {name} as {given.get(name)}; expected {expected.get(name)}, as in {model.name}"
            )
    return gather(weights)


def check_objectives(model: Model, objectives: Sequence[Objective], shape: Shape) -> None:
    """Every layer exists, and every unit and position is inside its layer for images of `shape`, (n, h, w, c)."""
    layers = dict.fromkeys(layer for objective in objectives for layer in objective.layers)
    known = [layer.name for layer in model.layers]
    for layer in layers:
        if layer.removesuffix(BEFORE_RELU).removesuffix(ALONG_DECODER) not in known and layer not in (IMAGE, OUTPUT):
            raise FeatvizError(f"{model.name} has no layer `{layer}`; {suggest(layer, known)}")
    size = "x".join(map(str, shape[1:3]))
    try:
        shapes = shapes_for(model, tuple(layers), shape)
    except FeatvizError:
        raise
    except Exception as error:
        line = str(error).strip().splitlines()[0]
        raise FeatvizError(f"{model.name} cannot run on pictures of `size` {size}: {line}") from error
    for layer in layers:
        if 0 in shapes[layer]:
            raise FeatvizError(f"{model.name} cannot run on pictures of `size` {size}: nothing remains of {layer}")
    for objective in objectives:
        for term in objective.terms:
            term.check(shapes)
