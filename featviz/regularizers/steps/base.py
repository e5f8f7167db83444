"""How step rules are built: from a function of the gradient, or of the image that a step arrives at."""

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from featviz.errors import FeatvizError
from featviz.parameterizations.color import for_channels

Images: TypeAlias = Float[Array, "n h w c"]
Progress: TypeAlias = Float[Array, ""]


def gradient_rule(name: str, change: Callable[[Images, Progress], Images]) -> optax.GradientTransformation:
    """A rule that changes the updates it is given.

    Args:
      name: the rule's name, for errors.
      change: (updates, progress) -> updates, of images.

    >>> halve = gradient_rule("Halve", lambda updates, progress: updates / 2)
    >>> float(halve.update(jnp.ones((1, 1, 1, 1)), optax.EmptyState(), progress=0.0)[0].sum())
    0.5
    """

    def update(
        updates: Images, state: optax.EmptyState, params: Images | None = None, *, progress: Progress, **_: Any
    ) -> tuple[Images, optax.EmptyState]:
        check_pixels(name, updates)
        return change(updates, progress), state

    return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)


def image_rule(
    name: str, change: Callable[[Images, Images, Progress], Images], *, every: int = 1
) -> optax.GradientTransformation:
    """A rule that changes the image that a step arrives at; its updates lead from the old image to the changed one.

    Args:
      name: the rule's name, for errors.
      change: (image, gradient, progress) -> image; the gradient is that of minus the objective.
      every: apply it in every so many steps, from the first on.

    >>> darken = image_rule("Darken", lambda image, gradient, progress: 0.5 * image)
    >>> image, step = jnp.full((1, 1, 1, 1), 0.6), jnp.full((1, 1, 1, 1), 0.2)
    >>> updates, _ = darken.update(step, darken.init(image), image, progress=0.0)
    >>> round(float((image + updates).sum()), 3)
    0.4
    """

    def init(params: Any) -> optax.ScaleByScheduleState:
        return optax.ScaleByScheduleState(jnp.zeros((), jnp.int32))

    def update(
        updates: Images,
        state: optax.ScaleByScheduleState,
        params: Images,
        *,
        progress: Progress,
        gradient: Images | None = None,
        **_: Any,
    ) -> tuple[Images, optax.ScaleByScheduleState]:
        check_pixels(name, updates)
        arrived = params + updates
        changed = change(arrived, updates if gradient is None else gradient, progress)
        if every > 1:
            changed = jnp.where(state.count % every == 0, changed, arrived)
        return changed - params, optax.ScaleByScheduleState(state.count + 1)

    return optax.GradientTransformationExtraArgs(init, update)


def center_pixel(center: tuple[float, ...], image: Images) -> Float[Array, "1 1 1 c2"]:
    """The center of a decay, one value or one a channel, as an image of one pixel."""
    return jnp.asarray(for_channels(center, image.shape[-1]).reshape(1, 1, 1, -1))


def check_pixels(name: str, value: Any) -> None:
    """Checks that what a rule works on is one array of images, (n, height, width, channels).

    Raises:
      FeatvizError: if it is not, with the parameterizations that fit.
    """
    if not isinstance(value, jax.Array) or value.ndim != 4:
        shapes = [tuple(leaf.shape) for leaf in jax.tree.leaves(value)]
        raise FeatvizError(
            f"`optimizer` has {name}, which works on pixels, but what is optimized has shapes {shapes}; "
            "expected the parameterization Pixels or RawPixels"
        )
