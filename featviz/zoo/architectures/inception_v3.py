"""Inception v3 (Szegedy et al. 2015) with torchvision's names; the weights are TensorFlow's."""

from collections.abc import Iterator
from types import MappingProxyType

import flax.linen as nn
import jax
import jax.numpy as jnp

from featviz.zoo.architectures.common_layers import ConvNorm, average_pool, max_pool
from featviz.zoo.weights.convert import keras_tensor

# The convolutions of a branch in sequence: name, width, kernel size, stride. A convolution of stride 2 has no padding,
# any other half its size.
Branch = tuple[tuple[str, int, tuple[int, int], int], ...]


def _branch(name: str, *steps: tuple[int, int, int], stride: int = 1) -> Branch:
    """Convolutions NAME_1, NAME_2, ... of (channels, kernel height, kernel width); the last has the stride."""
    strides = [1] * (len(steps) - 1) + [stride]
    return tuple(
        (f"{name}_{number}", width, (height, across), step)
        for number, ((width, height, across), step) in enumerate(zip(steps, strides, strict=True), 1)
    )


def _single(name: str, width: int, *, size: int = 1, stride: int = 1) -> Branch:
    return ((name, width, (size, size), stride),)


def _apply(branch: Branch, x: jax.Array) -> jax.Array:
    for name, width, size, stride in branch:
        padding = (0, 0) if stride > 1 else (size[0] // 2, size[1] // 2)
        x = ConvNorm(width, size, stride, padding, name=name)(x)
    return x


def _average(x: jax.Array, *, count_padding: bool) -> jax.Array:
    """Averages of 3x3: (n, h, w, c) -> the same shape; with `count_padding`, zeros beyond an edge count."""
    averages = average_pool(x, window=3, stride=1, padding=1)
    if count_padding:
        return averages
    return averages / average_pool(jnp.ones_like(x[:1, :, :, :1]), window=3, stride=1, padding=1)


class Mixed(nn.Module):
    """Branches of convolutions and a last branch that pools, concatenated: (n, h, w, c) -> (n, h', w', c').

    With `pooled`, the width of the convolution that follows, the pooling averages, with `count_padding` over the zeros
    beyond an edge too; without `pooled` it is max pooling of stride 2.
    """

    branches: tuple[Branch, ...]
    pooled: int | None = None
    count_padding: bool = True

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        outputs = [_apply(branch, x) for branch in self.branches]
        if self.pooled is None:
            outputs.append(max_pool(x, window=3, stride=2))
        else:
            outputs.append(ConvNorm(self.pooled, name="branch_pool")(_average(x, count_padding=self.count_padding)))
        return jnp.concatenate(outputs, axis=-1)


class Forked(nn.Module):
    """Mixed_7b and 7c, whose wide branches fork at their ends into 1x3 and 3x1: (n, h, w, c) -> (n, h, w, 2048)."""

    count_padding: bool = True

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        def fork(name: str, x: jax.Array) -> jax.Array:
            sides = {"a": (1, 3), "b": (3, 1)}
            return jnp.concatenate([_apply(((name + end, 384, side, 1),), x) for end, side in sides.items()], axis=-1)

        one = _apply(_single("branch1x1", 320), x)
        three = fork("branch3x3_2", _apply(_branch("branch3x3", (384, 1, 1)), x))
        double = fork("branch3x3dbl_3", _apply(_branch("branch3x3dbl", (448, 1, 1), (384, 3, 3)), x))
        pooled = ConvNorm(192, name="branch_pool")(_average(x, count_padding=self.count_padding))
        return jnp.concatenate([one, three, double, pooled], axis=-1)


def _wide(name: str, pooled: int, count_padding: bool) -> Mixed:
    """A block on 35 x 35 positions (for 299 px)."""
    branches = (
        _single("branch1x1", 64),
        _branch("branch5x5", (48, 1, 1), (64, 5, 5)),
        _branch("branch3x3dbl", (64, 1, 1), (96, 3, 3), (96, 3, 3)),
    )
    return Mixed(branches, pooled, count_padding, name=name)


def _factored(name: str, width: int, count_padding: bool) -> Mixed:
    """A block on 17 x 17 positions, whose 7x7 convolutions are factored into 1x7 and 7x1."""
    inner, row, column = (width, 1, 1), (width, 1, 7), (width, 7, 1)
    branches = (
        _single("branch1x1", 192),
        _branch("branch7x7", inner, row, (192, 7, 1)),
        _branch("branch7x7dbl", inner, column, row, column, (192, 1, 7)),
    )
    return Mixed(branches, 192, count_padding, name=name)


def _to_17(name: str) -> Mixed:
    double = _branch("branch3x3dbl", (64, 1, 1), (96, 3, 3), (96, 3, 3), stride=2)
    return Mixed((_single("branch3x3", 384, size=3, stride=2), double), name=name)


def _to_8(name: str) -> Mixed:
    three = _branch("branch3x3", (192, 1, 1), (320, 3, 3), stride=2)
    seven = _branch("branch7x7x3", (192, 1, 1), (192, 1, 7), (192, 7, 1), (192, 3, 3), stride=2)
    return Mixed((three, seven), name=name)


STEM = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3")
# The convolutions of Mixed_7b and 7c, the ends of a fork after its stem.
FORKED = (
    *("branch1x1", "branch3x3_1", "branch3x3_2a", "branch3x3_2b"),
    *("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3a", "branch3x3dbl_3b", "branch_pool"),
)


def _blocks(count_padding: bool) -> Iterator[Mixed | Forked]:
    """The blocks after the stem, in order."""
    for letter, pooled in zip("bcd", (32, 64, 64), strict=True):
        yield _wide(f"Mixed_5{letter}", pooled, count_padding)
    yield _to_17("Mixed_6a")
    for letter, width in zip("bcde", (128, 160, 160, 192), strict=True):
        yield _factored(f"Mixed_6{letter}", width, count_padding)
    yield _to_8("Mixed_7a")
    for letter in "bc":
        yield Forked(count_padding, name=f"Mixed_7{letter}")


class InceptionV3(nn.Module):
    """Logits of images of any size from 75 px up: (n, h, w, 3) -> (n, classes); trained at 299 px.

    Images are in [-1, 1]; torchvision's `transform_input` converts the range of its other networks to that. Its average
    poolings count the zeros beyond an edge; TensorFlow's and Keras's do not.
    """

    classes: int = 1000
    count_padding: bool = True

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        three = (3, 3)
        x = ConvNorm(32, three, stride=2, name=STEM[0])(x)
        x = ConvNorm(32, three, name=STEM[1])(x)
        x = ConvNorm(64, three, padding=(1, 1), name=STEM[2])(x)
        x = max_pool(x, window=3, stride=2)
        x = ConvNorm(80, name=STEM[3])(x)
        x = ConvNorm(192, three, name=STEM[4])(x)
        x = max_pool(x, window=3, stride=2)
        for block in _blocks(self.count_padding):
            x = block(x)
        return nn.Dense(self.classes, name="fc")(jnp.mean(x, axis=(1, 2)))


def _in_order() -> Iterator[str]:
    """The convolutions in the order in which Keras creates them, branch by branch, the pooling branch last."""
    yield from STEM
    for block in _blocks(count_padding=True):
        names = [*FORKED] if isinstance(block, Forked) else [step[0] for branch in block.branches for step in branch]
        if isinstance(block, Mixed) and block.pooled:
            names.append("branch_pool")
        yield from (f"{block.name}/{name}" for name in names)


# Keras numbers its layers from 1.
KERAS_NUMBERS = MappingProxyType({name: number for number, name in enumerate(_in_order(), 1)})


def keras_name(path: str) -> str:
    """A tensor's name in the file of Keras's applications, which numbers its layers; its norms have no scale.

    >>> keras_name("Mixed_5b/branch5x5_2/conv/kernel"), keras_name("Mixed_7c/branch_pool/bn/bias")
    ('conv2d_8/kernel:0', 'batch_normalization_94/beta:0')
    """
    *modules, part, leaf = path.split("/")
    if part == "fc":
        return keras_tensor("predictions", leaf, norm=False)
    number, norm = KERAS_NUMBERS["/".join(modules)], part == "bn"
    return keras_tensor(f"{'batch_normalization' if norm else 'conv2d'}_{number}", leaf, norm=norm)
