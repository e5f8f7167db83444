"""The contract of penalties, held by every one that the room lists. The tests of objectives hold that of terms."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.pieces import check_docstring

from featviz import regularizers
from featviz.model import IMAGE
from featviz.regularizers import PENALTIES, penalties

FACTORIES = [
    value for value in vars(penalties).values() if inspect.isfunction(value) and value.__name__ in penalties.__all__
]
IMAGES = np.random.default_rng(0).uniform(-0.5, 1.5, (2, 9, 12, 3)).astype(np.float32)


@jax.jit
def evaluate(penalty, images):
    def total(images):
        values = penalty({IMAGE: images})
        return jnp.sum(values), values

    return jax.value_and_grad(total, has_aux=True)(images)


@pytest.mark.parametrize("factory", FACTORIES, ids=lambda factory: factory.__name__)
def test_it_is_documented_exported_and_has_a_word(factory):
    check_docstring(factory)
    assert getattr(regularizers, factory.__name__) is factory and factory.__name__ in regularizers.__all__
    assert factory().hash in {penalty.hash for penalty in PENALTIES.values()}


@pytest.mark.parametrize("word", PENALTIES)
def test_it_is_finite_and_steps_against_its_gradient_lower_it(word):
    (_, values), gradient = evaluate(PENALTIES[word], IMAGES)
    assert values.shape == (2,) and np.isfinite(values).all() and (values >= 0).all()
    assert np.isfinite(gradient).all() and np.any(gradient)
    (_, after), _ = evaluate(PENALTIES[word], IMAGES - np.float32(0.1) * gradient)
    assert (after < values).all()


@pytest.mark.parametrize("word", PENALTIES)
def test_a_gray_image_has_a_finite_gradient(word):
    (_, values), gradient = evaluate(PENALTIES[word], np.full_like(IMAGES, 0.5))
    np.testing.assert_allclose(values, 0, atol=1e-5)
    assert np.isfinite(gradient).all()


def test_every_penalty_is_told_apart():
    assert len({penalty.hash for penalty in PENALTIES.values()}) == len(PENALTIES) == len(FACTORIES)
