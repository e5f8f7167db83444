"""Where the images and the units of a value lie, and the value arranged as a layer's: images, positions, units."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from featviz.tracing.axes import Evidence
from featviz.tracing.factors import MADE, Axis, Layout, Origin, Role, role_of


class Images(NamedTuple):
    """The axis of a value that holds the images, and what is folded into it, such as windows of each.

    Attributes:
        axis: The axis of the value.
        parts: The sizes of which that axis is folded, major first.
        part: Which of them are the images.
    """

    axis: int
    parts: tuple[int, ...]
    part: int

    @property
    def unfolded(self) -> int:
        """The axis of the images once the value is unfolded."""
        return self.axis + self.part

    def unfolded_axis(self, axis: int) -> int:
        """What becomes of an axis of the value; of the images' own axis, its last part that is not the images."""
        if axis == self.axis:
            others = [part for part in range(len(self.parts)) if part != self.part]
            return self.axis + (others[-1] if others else 0)
        return axis if axis < self.axis else axis + len(self.parts) - 1

    def folded_axis(self, axis: int) -> int | None:
        """The axis of the value that an axis of the unfolded one is; None if it is folded with the images."""
        if self.axis <= axis < self.axis + len(self.parts):
            return self.axis if len(self.parts) == 1 else None
        return axis if axis < self.axis else axis - len(self.parts) + 1


class Units(NamedTuple):
    """The axis of the units of an unfolded value, None where it has none; `certain` unless it is a guess."""

    axis: int | None
    certain: bool


def find_images(layout: Layout, batch: int) -> Images | None:
    """Where the images of a value are; None where they are on no axis, on several, or cannot be told from others.

    Where none holds them and nothing is known of the first axis, it is theirs if it is as long. One image's may be one
    of several axes.
    """
    holders = [index for index, factors in enumerate(layout) if role_of(factors) & Role.IMAGES]
    if batch == 1 and layout and len(holders) != 1:
        # Gathers and reshapes may lose an axis of one element, or count it among those beside it.
        holders = holders or [0]
        alone = [index for index in holders if all(factor.size == 1 for factor in layout[index])]
        return Images(alone[0], (1,), 0) if len(alone) == 1 else None
    if not holders and layout and len(layout[0]) == 1 and layout[0][0].role == Role.NONE:
        return Images(0, (batch,), 0) if layout[0][0].size == batch else None
    if len(holders) != 1:
        return None
    factors = layout[holders[0]]
    parts = [index for index, factor in enumerate(factors) if factor.role & Role.IMAGES]
    if len(parts) != 1 or factors[parts[0]].role != Role.IMAGES or factors[parts[0]].size != batch:
        return None
    return Images(holders[0], tuple(factor.size for factor in factors), parts[0])


def choose_units(layout: Layout, images: Images, evidence: Evidence, *, channels_first: bool) -> Units:
    """The axis of a value's units, once what is folded into that of the images is unfolded.

    It is the one that holds units and no positions; of several the one that was made last, since the units of a layer
    are what its own weights make. Of parts of one axis it is the minor one, a head's units rather than the heads.

    Args:
        layout: The value's layout.
        images: Where its images are.
        evidence: What the whole program says of its units.
        channels_first: Whether the network takes its images so; decides where nothing else does.
    """
    # One image's axis may have been made anew, of no factors.
    folded: list[Axis] = [(factor,) for factor in layout[images.axis]] or [()]
    unfolded = [*layout[: images.axis], *folded, *layout[images.axis + 1 :]]
    others = [index for index in range(len(unfolded)) if index != images.unfolded]
    if len(others) == 1:
        return Units(others[0], True)
    resolved = {index: _resolve(unfolded[index], evidence.placed) for index in others}
    found = _choose(resolved, evidence, channels_first)
    if found.axis is None and any(role_of(unfolded[index]) & MADE for index in others):
        unresolved = {index: unfolded[index] for index in others}
        found = _choose(unresolved, evidence, channels_first)._replace(certain=False)
    return found


def arrange(value: jax.Array, images: Images, units: int | None) -> jax.Array:
    """A value as (images, positions, units); `units` is their axis once unfolded, None for one unit.

    >>> windows = jnp.zeros((2 * 9, 16, 5))
    >>> arrange(windows, Images(axis=0, parts=(2, 9), part=0), units=3).shape
    (2, 9, 16, 5)
    """
    value = unfolded(value, images)
    if units is None:
        value, units = value[..., None], value.ndim
    order = [images.unfolded, *(i for i in range(value.ndim) if i not in (images.unfolded, units)), units]
    return value if order == sorted(order) else jnp.transpose(value, order)


def restore(value: jax.Array, shape: Sequence[int], images: Images, units: int | None) -> jax.Array:
    """What `arrange` made of a value of a shape, as that value was.

    >>> windows = jnp.arange(180.0).reshape(2 * 9, 2, 5)
    >>> images = Images(axis=0, parts=(2, 9), part=0)
    >>> bool((restore(arrange(windows, images, 2), windows.shape, images, 2) == windows).all())
    True
    """
    if units is None:
        return jnp.moveaxis(value[..., 0], 0, images.unfolded).reshape(shape)
    order = [images.unfolded, *(i for i in range(value.ndim) if i not in (images.unfolded, units)), units]
    back = [order.index(axis) for axis in range(value.ndim)]
    return jnp.transpose(value, back).reshape(shape)


def arranged_shape(shape: Sequence[int], images: Images, units: int | None) -> tuple[int, ...]:
    """The shape of `arrange` of a value of a shape.

    >>> arranged_shape((2 * 9, 5, 16), Images(axis=0, parts=(2, 9), part=0), units=2)
    (2, 9, 16, 5)
    """
    sizes = [*shape[: images.axis], *images.parts, *shape[images.axis + 1 :], 1]
    units = len(sizes) - 1 if units is None else units
    places = [size for index, size in enumerate(sizes[:-1]) if index not in (images.unfolded, units)]
    return (sizes[images.unfolded], *places, sizes[units])


def unfolded(value: jax.Array, images: Images) -> jax.Array:
    """A value whose axis of the images is unfolded into its parts."""
    if len(images.parts) == 1:
        return value
    return value.reshape(*value.shape[: images.axis], *images.parts, *value.shape[images.axis + 1 :])


def _resolve(factors: Axis, placed: frozenset[Origin]) -> Axis:
    """The factors; what is added to positions elsewhere is positions, and what is mixed otherwise is units."""
    return tuple(
        factor._replace(role=Role.PLACES if factor.origin in placed else factor.role & ~Role.MIXED | Role.UNITS)
        if factor.role & MADE and not factor.role & Role.PLACES
        else factor
        for factor in factors
    )


def _choose(candidates: dict[int, Axis], evidence: Evidence, channels_first: bool) -> Units:
    """The axis of the units among axes of positions and units."""
    roles = {index: role_of(factors) for index, factors in candidates.items()}
    pure = {
        index: max((factor for factor in factors if factor.role & MADE), key=lambda factor: factor.origin)
        for index, factors in candidates.items()
        if roles[index] & MADE and not roles[index] & Role.PLACES
    }
    if pure:
        last = max(factor.made for factor in pure.values())
        tied = [index for index, factor in pure.items() if factor.made == last]
        features = [index for index in tied if pure[index].origin in evidence.features]
        if len(features) == 1 or len(tied) == 1:
            return Units((features or tied)[0], True)
        if len(tied) == len(candidates) > 2:
            return Units(_by_convention(candidates, channels_first), False)
        return Units(max(tied, key=lambda index: pure[index].part), True)
    some = [index for index in candidates if roles[index] & MADE]
    if len(some) == 1:
        return Units(some[0], True)
    if some or any(role == Role.NONE for index, role in roles.items() if candidates[index]):
        return Units(_by_convention(candidates, channels_first), False)
    compared = [index for index, factors in candidates.items() if any(factor.made for factor in factors)]
    if len(compared) > 1:
        # Attention's scores without their heads: how much a position sees of each other one.
        return Units(max(compared), True)
    single = [index for index in candidates if not candidates[index]]
    if not single:
        return Units(None, True)
    usual = _by_convention(candidates, channels_first)
    return Units(usual if usual in single else single[-1], True)


def _by_convention(candidates: dict[int, Axis], channels_first: bool) -> int:
    """Where units usually lie: first if the network takes its images so and has positions on two axes, else last."""
    order = sorted(candidates)
    return order[0] if channels_first and len(order) > 2 else order[-1]
