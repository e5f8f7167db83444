"""The hash of an architecture: equal for equal programs, whatever was traced before."""

import jax
import jax.numpy as jnp
from support.tiny import Gauges, build, build_anew

from featviz.model import InputSpec, Model, hash_architecture


def test_architectures_have_different_hashes():
    assert hash_architecture(build_anew()) == hash_architecture(build_anew(seed=1))
    assert hash_architecture(build()) != hash_architecture(build(Gauges()))
    assert hash_architecture(build()) != hash_architecture(build(), size=(24, 24))
    before = hash_architecture(build())
    # What was traced before must not matter.
    jax.clear_caches()
    jax.make_jaxpr(lambda x: jax.nn.relu(x))(jnp.zeros((1, 8, 8, 80)))
    assert hash_architecture(build()) == before


def test_constants_and_names_within_a_program_are_hashed():
    def model(constant, names):
        held = jnp.full((1, 3), constant)
        inner = jax.jit(lambda x: jnp.mean(x, axis=(1, 2)) * held)

        def apply(weights, images, *, layers=None):
            pair = inner(images), jax.lax.cond(True, inner, inner, images)
            return dict(zip(names, pair, strict=True))

        return hash_architecture(Model("m", apply, {}, (), InputSpec(size=(8, 8))))

    assert model(1.0, "ab") == model(1.0, "ab")
    assert len({model(1.0, "ab"), model(2.0, "ab"), model(1.0, "bc")}) == 3
