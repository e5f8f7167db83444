"""A network's outputs where a unit is held at a value, for many units and photographs: run from the layer on.

The network below the layer runs once for a photograph, what is behind it once for each unit and value.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

from featviz.common.compilation import compiled
from featviz.common.kept import kept_with_owner
from featviz.common.progress import progress_bar
from featviz.model import OUTPUT, Apply, Model, Weights
from featviz.model.editable import Editable, add_edits
from featviz.model.edits import Selection, StandIn
from featviz.model.latent_layers import encoded_layer, find_dictionary
from featviz.model.shapes import shapes_at
from featviz.surveys.reduction import BATCH

# Bytes of activations and photographs that are in memory at once.
MEMORY = 1 << 29
# Units whose maps a photograph gives at least: few programs serve every number.
WIDTH = 32


class Held(NamedTuple):
    """A unit that is held at a value at all positions.

    Attributes:
      unit: its index.
      value: 0 suppresses it.
      photos: the indices of the photographs on which outputs are asked for.
    """

    unit: int
    value: float
    photos: tuple[int, ...]


def held_outputs(
    model: Model,
    layer: str,
    asked: Sequence[Held],
    photo: Callable[[int], UInt8[np.ndarray, "h w c"]],
    size: tuple[int, int],
    *,
    progress: bool = False,
) -> Iterator[Float[np.ndarray, "n outputs"]]:
    """The outputs on the photographs of each of `asked`, in their order.

    Args:
      model: a network whose layers can be edited, with an output of shape (n, outputs).
      layer: the units' layer. Of latents, what the dictionary cannot reconstruct stays as it is.
      asked: units and values. Those that follow one another and share photographs cost least.
      photo: gives a photograph as the network gets it.
      size: (height, width) of the photographs.
      progress: whether a progress bar is shown.

    >>> import featviz as fv
    >>> photos = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    >>> asked = [Held(3, 0.0, (0, 1)), Held(7, 1.5, (1,))]
    >>> [len(each) for each in held_outputs(fv.load("patterns"), "mixed4a", asked, photos.__getitem__, (64, 64))]
    [2, 1]
    """
    base = encoded_layer(model, layer)
    values = int(np.prod(shapes_at(model, (base,), size)[base]))
    limit = max(1, MEMORY // (4 * values + size[0] * size[1] * model.input.channels))
    total = sum(len(held.photos) for held in asked)
    with progress_bar(None, total=total, unit="output", shown=progress) as bar:
        for block in _blocks(asked, limit):
            known = _below(model, base, layer, block, photo)
            rows = [(held, index) for held in block for index in held.photos]
            found = []
            for start in range(0, len(rows), BATCH):
                group = rows[start : start + BATCH]
                found.append(_behind(model, base, layer, group, known))
                bar.update(len(group))
            outputs, done = np.concatenate(found), 0
            for held in block:
                yield outputs[done : done + len(held.photos)]
                done += len(held.photos)


class _Below(NamedTuple):
    """What is computed once for a photograph: the layer's activation, and each unit's map on it."""

    photos: dict[int, UInt8[np.ndarray, "h w c"]]
    activations: dict[int, Float[np.ndarray, "*positions units"]]
    maps: dict[tuple[int, int], Float[np.ndarray, "*positions"]]


def _blocks(asked: Sequence[Held], limit: int) -> Iterator[list[Held]]:
    """Parts of `asked` that have at most `limit` photographs, or one unit."""
    block: list[Held] = []
    photos: set[int] = set()
    for held in asked:
        if block and len(photos.union(held.photos)) > limit:
            yield block
            block, photos = [], set()
        block.append(held)
        photos.update(held.photos)
    if block:
        yield block


def _below(
    model: Model, base: str, layer: str, block: Sequence[Held], photo: Callable[[int], UInt8[np.ndarray, "h w c"]]
) -> _Below:
    wanted: dict[int, list[int]] = {}
    for held in block:
        for index in held.photos:
            wanted.setdefault(index, [])
            if held.unit not in wanted[index]:
                wanted[index].append(held.unit)
    known, indices = _Below({index: photo(index) for index in wanted}, {}, {}), sorted(wanted)
    program, units = _below_program(model.apply, base, layer), model.layer(layer).units
    for start in range(0, len(indices), BATCH):
        group = indices[start : start + BATCH]
        images = np.stack([known.photos[index] for index in _filled(group)])
        width = 1 << (max(WIDTH, *(len(wanted[index]) for index in group)) - 1).bit_length()
        chosen = np.zeros((BATCH, min(width, units)), np.int32)
        for row, index in enumerate(group):
            chosen[row, : len(wanted[index])] = wanted[index]
        args = (model.weights, images, chosen)
        activations, maps = (np.asarray(each) for each in compiled(program, *args)(*args))
        for row, index in enumerate(group):
            known.activations[index] = activations[row]
            known.maps.update({(unit, index): maps[row, ..., at] for at, unit in enumerate(wanted[index])})
    return known


def _behind(
    model: Model, base: str, layer: str, group: Sequence[tuple[Held, int]], known: _Below
) -> Float[np.ndarray, "n outputs"]:
    rows = _filled(group)
    args = (
        model.weights,
        np.stack([known.activations[index] for _, index in rows]),
        np.stack([known.maps[held.unit, index] for held, index in rows]),
        np.array([held.unit for held, _ in rows], np.int32),
        np.array([held.value for held, _ in rows], np.float32),
        np.stack([known.photos[index] for _, index in rows]),
    )
    program = _behind_program(model.apply, base, layer)
    return np.asarray(compiled(program, *args)(*args), np.float32)[: len(group)]


def _filled(group: Sequence[Any]) -> list[Any]:
    """A batch: the last entry repeated where there are fewer."""
    return [*group, *[group[-1]] * (BATCH - len(group))]


@kept_with_owner(maxsize=8)
def _below_program(apply: Apply, base: str, layer: str) -> Callable[..., tuple[Array, Array]]:
    @jax.jit
    def below(
        weights: Weights, images: UInt8[Array, "n h w c"], chosen: Int[Array, "n width"]
    ) -> tuple[Float[Array, "n *positions units"], Float[Array, "n *positions width"]]:
        found = apply(weights, images.astype(jnp.float32) / jnp.float32(255), layers=tuple({base, layer}))
        own = found[layer].astype(jnp.float32)
        columns = jnp.expand_dims(chosen, tuple(range(1, own.ndim - 1)))
        return found[base].astype(jnp.float32), jnp.take_along_axis(own, columns, axis=-1)

    return below


@kept_with_owner(maxsize=8)
def _behind_program(apply: Apply, base: str, layer: str) -> Callable[..., Float[Array, "n outputs"]]:
    @jax.jit
    def behind(
        weights: Weights,
        activations: Float[Array, "n *positions units"],
        maps: Float[Array, "n ..."],
        units: Int[Array, " n"],
        values: Float[Array, " n"],
        photos: UInt8[Array, "n h w c"],
    ) -> Float[Array, "n outputs"]:
        assert isinstance(apply, Editable)
        dictionary = find_dictionary(apply, weights, layer)

        def outputs(h: Array, map: Array, unit: Array, value: Array, photo: Array) -> Float[Array, " outputs"]:
            alone = jnp.expand_dims(jax.nn.one_hot(unit, h.shape[-1]), tuple(range(h.ndim - 1)))
            step = alone if dictionary is None else dictionary.one_of(unit, like=h)
            held = h + jnp.expand_dims(value - map, -1) * step
            # The activations have had all edits.
            patched, patched_weights = add_edits(apply, weights, {base: [StandIn(Selection(), held)]})
            image = photo.astype(jnp.float32) / jnp.float32(255)
            return patched(patched_weights, image[None], layers=(OUTPUT,))[OUTPUT][0]

        return jax.vmap(outputs)(activations, maps, units, values, photos)

    return behind
