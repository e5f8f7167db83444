"""Convolutions of any layout in one form: images with their channels last, kernels with inputs and outputs last."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from featviz.tracing.evaluation import Replacement
from featviz.tracing.program import Step


class Geometry(NamedTuple):
    """A convolution of (n, *sizes, c) by (*kernel, c / groups, c2), in the terms of `jax.lax.conv_general_dilated`."""

    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    input_dilation: tuple[int, ...]
    kernel_dilation: tuple[int, ...]
    groups: int = 1
    precision: lax.PrecisionLike = None

    @property
    def is_dilated(self) -> bool:
        """Whether zeros are spread between the places of the image or of the kernel."""
        return max(*self.input_dilation, *self.kernel_dilation) > 1


def geometry_of(step: Step) -> Geometry | None:
    """The geometry of a convolution of one to three dimensions in one floating-point dtype; None for other steps."""
    if step.primitive.name != "conv_general_dilated" or not 3 <= len(step.inputs[0].aval.shape) <= 5:
        return None
    params = step.params
    dtypes = {value.aval.dtype for value in (*step.inputs, *step.outputs)}
    if params["batch_group_count"] > 1 or len(dtypes) > 1 or not jnp.issubdtype(dtypes.pop(), jnp.floating):
        return None
    return Geometry(
        tuple(params["window_strides"]),
        tuple(map(tuple, params["padding"])),
        tuple(params["lhs_dilation"]),
        tuple(params["rhs_dilation"]),
        params["feature_group_count"],
        params["precision"],
    )


def kernel_shape(step: Step) -> tuple[int, ...]:
    """The shape (*kernel, c / groups, c2) of a convolution's kernel."""
    outputs, inputs, *window = step.params["dimension_numbers"].rhs_spec
    return tuple(step.inputs[1].aval.shape[axis] for axis in (*window, inputs, outputs))


def in_channels_last(step: Step, convolution: Callable[[jax.Array, jax.Array], jax.Array]) -> Replacement:
    """A convolution in channels last as the replacement of a step, with its arrays transposed where they lie otherwise.

    A transposition costs nothing where XLA chooses the layout of the arrays around it.
    """
    numbers = step.params["dimension_numbers"]
    batch, features, *space = numbers.lhs_spec
    outputs, inputs, *window = numbers.rhs_spec
    out_batch, out_features, *out_space = numbers.out_spec

    def run(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array]:
        y = convolution(jnp.transpose(x, (batch, *space, features)), jnp.transpose(kernel, (*window, inputs, outputs)))
        return (jnp.transpose(y, np.argsort((out_batch, *out_space, out_features)).tolist()),)

    return Replacement(step.inputs, run)


def convolve(geometry: Geometry, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """XLA's convolution of (n, *sizes, c) by (*kernel, c / groups, c2).

    An image that is cropped is cropped first: on a CPU, XLA's strided convolutions with a negative padding in front and
    a positive one behind read beyond the image (jax 0.10.2; 0.12 is right).
    """
    rank = x.ndim - 2
    if max(geometry.input_dilation) == 1 and min(map(min, geometry.padding)) < 0:
        cropped = [(0, 0, 0), *((min(low, 0), min(high, 0), 0) for low, high in geometry.padding), (0, 0, 0)]
        x = lax.optimization_barrier(lax.pad(x, jnp.zeros((), x.dtype), cropped))
        geometry = geometry._replace(padding=tuple((max(low, 0), max(high, 0)) for low, high in geometry.padding))
    space = "HWD"[:rank]
    return lax.conv_general_dilated(
        x,
        kernel,
        geometry.stride,
        geometry.padding,
        geometry.input_dilation,
        geometry.kernel_dilation,
        dimension_numbers=(f"N{space}C", f"{space}IO", f"N{space}C"),
        feature_group_count=geometry.groups,
        precision=geometry.precision,
    )


def with_input_gradient(
    forward: Callable[[Geometry, jax.Array, jax.Array], jax.Array],
    input_gradient: Callable[[Geometry, tuple[int, ...], jax.Array, jax.Array], jax.Array],
) -> Callable[[Geometry, jax.Array, jax.Array], jax.Array]:
    """A convolution of (geometry, image, kernel) with an image gradient of its own.

    Args:
      forward: the convolution.
      input_gradient: the gradient of the image, from the geometry, the image's shape, the kernel and the gradient of
        the output.
    """

    @partial(jax.custom_vjp, nondiff_argnums=(0,))
    def convolution(geometry: Geometry, x: jax.Array, kernel: jax.Array) -> jax.Array:
        return forward(geometry, x, kernel)

    def keep(geometry: Geometry, x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        return forward(geometry, x, kernel), (x, kernel)

    def pull_back(
        geometry: Geometry, residual: tuple[jax.Array, jax.Array], g: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        x, kernel = residual
        # The kernel's gradient is XLA's; where it is unused, XLA removes it.
        _, kernel_vjp = jax.vjp(lambda kernel: convolve(geometry, x, kernel), kernel)
        return input_gradient(geometry, x.shape, kernel, g), kernel_vjp(g)[0]

    convolution.defvjp(keep, pull_back)
    return convolution
