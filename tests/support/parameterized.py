"""Formulas of parameterizations in numpy, and their images drawn by programs that compile once a shape."""

from functools import partial

import jax
import numpy as np

from featviz.parameterizations.color import COLOR_MATRIX

KEY = jax.random.key(0)


def sigmoid(t):
    return 1 / (1 + np.exp(-t))


def color(t):
    return t @ COLOR_MATRIX.T if t.shape[-1] == 3 else t


# As in production these are compiled whole: operation by operation, compiling them is most of the tests' time.
@partial(jax.jit, static_argnums=(0, 1))
def to_image(parameterization, shape, params):
    return parameterization.to_image(params, shape)


@partial(jax.jit, static_argnums=(0, 1))
def start(parameterization, shape, key):
    params = parameterization.init(key, shape)
    return params, parameterization.to_image(params, shape)


def draw_with_gradient(parameterization, shape, loss):
    """Parameters, their image and the gradient of the image's loss, by one program."""

    @jax.jit
    def drawn(key):
        params = parameterization.init(key, shape)

        def loss_and_image(params):
            image = parameterization.to_image(params, shape)
            return loss(image), image

        gradient, image = jax.grad(loss_and_image, has_aux=True)(params)
        return params, image, gradient

    params, image, gradient = drawn(KEY)
    return params, np.asarray(image), gradient


def draw(parameterization, shape, *, key=KEY):
    params, image = start(parameterization, shape, key)
    return params, np.asarray(image)
