"""Images as sums of parts of several resolutions: a Laplacian pyramid, and parts that a group shares."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from featviz.parameterizations.base import Parameterization, Shape, squash, unsquash


def _resize(image: jax.Array, size: tuple[int, ...]) -> jax.Array:
    return jax.image.resize(image, (image.shape[0], *size, image.shape[-1]), "linear", antialias=False)


@dataclass(frozen=True)
class LaplacianPyramid:
    """sigmoid(color(sum over levels of enlarge(level_k))), level k at 1 / 2^k (lucid, optvis/param/lowres.py).

    Ascent on it moves all scales alike. Params: a tuple, the finest first, each from N(0, sd).

    >>> pyramid = LaplacianPyramid()
    >>> [level.shape[1] for level in pyramid.init(jax.random.key(0), (1, 32, 32, 3))]
    [32, 16, 8, 4]
    """

    levels: int = 4
    sd: float = 0.1
    decorrelate: bool = True

    def init(self, key: jax.Array, shape: Shape) -> tuple[jax.Array, ...]:
        keys = jax.random.split(key, self.levels)
        sizes = self._sizes(shape[1:3])
        return tuple(
            self.sd * jax.random.normal(key, (shape[0], *size, shape[3]), jnp.float32)
            for key, size in zip(keys, sizes, strict=True)
        )

    def to_image(self, params: tuple[jax.Array, ...], shape: Shape) -> jax.Array:
        parts = [_resize(level, shape[1:3]) for level in params]
        return squash(sum(parts[1:], start=parts[0]), decorrelate=self.decorrelate)

    def from_image(self, image: jax.Array) -> tuple[jax.Array, ...]:
        t = unsquash(image, decorrelate=self.decorrelate)
        size = t.shape[1:3]
        levels: list[jax.Array] = []
        # Each coarse level takes what it can hold, the finest the rest.
        for small in reversed(self._sizes(size)[1:]):
            level = jax.image.resize(t, (t.shape[0], *small, t.shape[-1]), "linear", antialias=True)
            levels.append(level)
            t = t - _resize(level, size)
        return (t, *reversed(levels))

    def _sizes(self, size: tuple[int, ...]) -> list[tuple[int, ...]]:
        return [tuple(max(1, side // 2**level) for side in size) for level in range(self.levels)]


# Width and height of each shared part in those of the image, and how many images each shares (lucid, optvis/param,
# lowres_tensor as used for aligned groups): 1/2, 1/4, 1/8, 1/8 over two, 1/16, 1/16 over two.
SHARED = ((2, 1), (4, 1), (8, 1), (8, 2), (16, 1), (16, 2))


@dataclass(frozen=True)
class Shared:
    """An image's own part, and coarse ones that a group's images share: what they show lines up (Olah et al. 2017).

    t_i = own_i + sum over parts of enlarge(part), at 1 / 2 to 1 / 16 of the size; parts `over two` are shared by pairs
    of neighbors, the others by all. Params: the base's own, and a tuple of parts from N(0, sd).

    >>> from featviz.parameterizations import Fourier
    >>> shared = Shared(Fourier())
    >>> shared.to_image(shared.init(jax.random.key(0), (4, 32, 32, 3)), (4, 32, 32, 3)).shape
    (4, 32, 32, 3)
    """

    base: Parameterization
    sd: float = 0.01
    decorrelate: bool = True

    def init(self, key: jax.Array, shape: Shape) -> tuple[object, tuple[jax.Array, ...]]:
        own, *keys = jax.random.split(key, 1 + len(SHARED))
        n, height, width, channels = shape
        parts = tuple(
            self.sd
            * jax.random.normal(
                key, (1 if over == 1 else -(-n // over), max(1, height // part), max(1, width // part), channels)
            )
            for key, (part, over) in zip(keys, SHARED, strict=True)
        )
        return self.base.init(own, shape), parts

    def to_image(self, params: tuple[object, tuple[jax.Array, ...]], shape: Shape) -> jax.Array:
        own, parts = params
        t = unsquash(self.base.to_image(own, shape), decorrelate=self.decorrelate, margin=1e-6)
        for part in parts:
            large = _resize(part, shape[1:3])
            t = t + jnp.repeat(large, -(-shape[0] // large.shape[0]), axis=0)[: shape[0]]
        return squash(t, decorrelate=self.decorrelate)

    def from_image(self, image: jax.Array) -> tuple[object, tuple[jax.Array, ...]]:
        key = jax.random.key(0)
        _, parts = self.init(key, tuple(image.shape))  # type: ignore[arg-type]
        return self.base.from_image(image), tuple(jnp.zeros_like(part) for part in parts)
