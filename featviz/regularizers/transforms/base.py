"""What a transform is, and several of them one after the other."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

import jax
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from featviz.parameterizations import Shape


class Transform(ABC):
    """A random change of one image, (h, w, c); the package's docstring has the contract.

    `adds_noise` says that it only adds noise: two images can then be compared in the same view, each with noise
    of its own (see `compose`).
    """

    adds_noise: ClassVar[bool] = False

    @abstractmethod
    def __call__(
        self, key: PRNGKeyArray, image: Float[Array, "h w c"], progress: Float[Array, ""]
    ) -> Float[Array, "h2 w2 c2"]:
        """Transforms an image.

        Args:
          key: the randomness of this call.
          image: one image, values in [0,1] or beyond.
          progress: the share of the optimization that is done, from 0 to 1.

        Returns:
          The transformed image, not clipped.
        """


def compose(
    transforms: Sequence[Transform], *, other_noise: bool = False
) -> Callable[[PRNGKeyArray, Float[Array, "h w c"], Float[Array, ""]], Float[Array, "h2 w2 c2"]]:
    """Chains transforms, each with its own key.

    Args:
      transforms: the transforms, the first one first; with none the image stays as it is.
      other_noise: draw different noise, and everything else as without it.

    Returns:
      A function of (key, image, progress), like a transform.
    """

    def run(key: PRNGKeyArray, image: Float[Array, "h w c"], progress: Float[Array, ""]) -> Float[Array, "h2 w2 c2"]:
        for index, transform in enumerate(transforms):
            transform_key = jax.random.fold_in(key, index)
            if other_noise and transform.adds_noise:
                transform_key = jax.random.fold_in(transform_key, 1)
            image = transform(transform_key, image, progress)
        return image

    return run


def view_shape(transforms: Sequence[Transform], shape: Shape) -> Shape:
    """The shape of the transformed views of images; nothing is computed.

    Args:
      transforms: the transforms, the first one first.
      shape: (n, height, width, channels) of the images.

    Returns:
      (n, height, width, channels) of the views.

    >>> from featviz.regularizers import Jitter, Pad
    >>> view_shape((Pad(2), Jitter(1)), (5, 8, 9, 3))
    (5, 11, 12, 3)
    """
    image = jax.ShapeDtypeStruct(shape[1:], np.float32)
    progress = jax.ShapeDtypeStruct((), np.float32)
    height, width, channels = jax.eval_shape(compose(transforms), jax.random.key(0), image, progress).shape
    return shape[0], height, width, channels
