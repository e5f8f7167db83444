"""Edges tested by ablation: what a unit's activation loses without each of its inputs, on photos on which it fires."""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from featviz.circuit_graphs.circuit_parts import EdgeEffect, Verdict
from featviz.common.compilation import compiled
from featviz.model import Apply, Model, Weights
from featviz.model.editable import Editable, add_edits
from featviz.model.edits import Clamp, Selection
from featviz.surveys.reduction import batches

# Photos on which an edge is tested, and resamples of the bootstrap.
PHOTOS, RESAMPLES = 16, 1000
# Fewer photos decide nothing: even five changes of one sign come about by chance in more than 5 % of cases, by a
# two-sided sign test, and a bootstrap of so few is too narrow.
FEWEST = 6
BATCH = 8
# Relative changes below it are rounding.
ROUNDING = 1e-5


def maximum_activations(
    model: Model, images: Float[np.ndarray, "n h w c"], layers: Sequence[str]
) -> dict[str, Float[np.ndarray, "n units"]]:
    """The largest activation of each unit over the positions of each image."""
    names = tuple(dict.fromkeys(layers))
    found: dict[str, list[np.ndarray]] = {layer: [] for layer in names}
    for count, batch in batches(images, count=min(BATCH, len(images))):
        args = (model.weights, jnp.asarray(batch))
        program = compiled(_maxima, *args, owner=model.apply, apply=model.apply, layers=names)
        for layer, values in program(*args).items():
            found[layer].append(np.asarray(values)[:count])
    return {layer: np.concatenate(parts) for layer, parts in found.items()}


def firing_photos(activations: Float[np.ndarray, " n"], count: int) -> Int[np.ndarray, " photos"]:
    """Photos on which a unit fires, evenly from the most to the least, the most first.

    >>> firing_photos(np.array([0.0, 3.0, 1.0, 2.0]), 2).tolist()
    [1, 2]
    """
    order = np.argsort(-activations, kind="stable")
    firing = order[activations[order] > 0]
    if len(firing) <= count:
        return firing
    return firing[np.linspace(0, len(firing) - 1, count).round().astype(int)]


def edge_effects(
    model: Model,
    images: Float[np.ndarray, "n h w c"],
    source: str,
    units: Sequence[int],
    target: str,
    unit: int,
    *,
    signs: Sequence[float],
) -> list[EdgeEffect]:
    """What ablating each of some units does to a unit of a layer above, where it fires most in each image.

    It is what `model.edited({source: fv.ablate([unit])})` changes, by every path.

    Args:
      model: the network.
      images: images on which the target fires.
      source, units: the units that are ablated, each alone and at every position.
      target, unit: the unit that is looked at.
      signs: of the weights, by which an effect confirms an edge; 0 where they are of both signs.

    >>> import featviz as fv
    >>> images = np.random.default_rng(0).random((2, 64, 64, 3), np.float32)
    >>> found = edge_effects(fv.load("patterns"), images, "conv2", [3, 4], "mixed3a", 7, signs=[1.0, -1.0])
    >>> len(found), found[0].photos
    (2, 2)
    """
    changes = contributions(model, images, source, units, target, unit)
    return [judge(row, sign) for row, sign in zip(changes, signs, strict=True)]


def contributions(
    model: Model, images: Float[np.ndarray, "n h w c"], source: str, units: Sequence[int], target: str, unit: int
) -> Float[np.ndarray, "units n"]:
    """The share of the target's activation that is gone without each unit, on each image."""
    if not len(images):
        return np.zeros((len(units), 0))
    # A multiple of four: few programs serve every number of units.
    padded = np.resize(np.asarray(units, np.int32), -(-len(units) // 4) * 4)
    parts = []
    for count, batch in batches(images, count=min(BATCH, len(images))):
        args = (model.weights, jnp.asarray(batch), jnp.asarray(padded), jnp.int32(unit))
        program = compiled(_with_and_without, *args, owner=model.apply, apply=model.apply, source=source, target=target)
        before, after = (np.asarray(each, np.float64) for each in program(*args))
        parts.append(((before - after) / np.maximum(np.abs(before), 1e-12))[: len(units), :count])
    return np.concatenate(parts, axis=1)


def judge(changes: Float[np.ndarray, " n"], sign: float) -> EdgeEffect:
    """The effect, and whether it has the sign of the weight; with 0, any sign will do. Five photos decide nothing.

    >>> judge(np.array([0.2, 0.3, 0.25, 0.2, 0.1, 0.3]), 1.0).verdict.value, judge(np.zeros(4), 1.0).verdict.value
    ('confirmed', 'silent')
    >>> judge(np.array([0.2, 0.3, 0.25, 0.2]), 1.0).verdict.value
    'undecided'
    """
    count = len(changes)
    if not count:
        return EdgeEffect(0.0, 0.0, 0.0, 0, 0.0, Verdict.UNTESTED)
    drawn = changes[np.random.default_rng(0).integers(0, count, (RESAMPLES, count))].mean(1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    active = float((np.abs(changes) > ROUNDING).mean())
    if not active:
        verdict = Verdict.SILENT
    elif count < FEWEST:
        verdict = Verdict.UNDECIDED
    else:
        confirmed = (sign >= 0 and low > 0) or (sign <= 0 and high < 0)
        verdict = Verdict.CONFIRMED if confirmed else Verdict.UNCONFIRMED
    return EdgeEffect(float(changes.mean()), float(low), float(high), count, active, verdict)


@jax.jit
def _maxima(
    weights: Weights, images: Float[Array, "n h w c"], *, apply: Apply, layers: tuple[str, ...]
) -> Mapping[str, Float[Array, "n units"]]:
    activations = apply(weights, images, layers=layers)
    return {layer: activations[layer].reshape(len(images), -1, activations[layer].shape[-1]).max(1) for layer in layers}


@jax.jit
def _with_and_without(
    weights: Weights,
    images: Float[Array, "n h w c"],
    units: Int[Array, " units"],
    unit: Int[Array, ""],
    *,
    apply: Apply,
    source: str,
    target: str,
) -> tuple[Float[Array, "1 n"], Float[Array, "units n"]]:
    """The unit's activation where it is largest in each image, and there without each of the units."""

    def by_position(activation: Float[Array, "n *positions units"]) -> Float[Array, "n positions"]:
        return jnp.take(activation, unit, axis=-1).reshape(len(images), -1).astype(jnp.float32)

    before = by_position(apply(weights, images, layers=(target,))[target])
    place = before.argmax(1)
    assert isinstance(apply, Editable)

    def without(ablated: Int[Array, ""]) -> Float[Array, " n"]:
        edit = Clamp(Selection(units=ablated[None]), jnp.float32(0))
        edited, edited_weights = add_edits(apply, weights, {source: [edit]})
        after = by_position(edited(edited_weights, images, layers=(target,))[target])
        return jnp.take_along_axis(after, place[:, None], axis=1)[:, 0]

    return before.max(1)[None], jax.vmap(without)(units)
