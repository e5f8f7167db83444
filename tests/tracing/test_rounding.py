"""Which values have the same bits whatever a compiler does, by what they are computed with."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from featviz.tracing.program import trace
from featviz.tracing.rounding import freely_rounded

X = np.linspace(0.1, 2, 12, dtype=np.float32).reshape(3, 4)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x.T[::-1].reshape(-1), True),
        (lambda x: jnp.pad(jnp.concatenate([x, x]), 1)[1:], True),
        (lambda x: jnp.where(x > 1, x, -x), True),
        (lambda x: (x + 1) * x, True),
        (lambda x: x.astype(jnp.bfloat16), True),
        (lambda x: x.astype(jnp.bfloat16) * 2, False),
        (lambda x: x * x + 1, False),
        (lambda x: 1 - (x * x).T[:2], False),
        (lambda x: x / 3, False),
        (lambda x: jax.lax.rsqrt(x), False),
        (lambda x: x - x.mean(), False),
        (lambda x: x @ x.T, False),
        (jnp.exp, False),
        (jax.nn.relu, False),
        (jax.nn.silu, False),
    ],
)
def test_moved_and_once_rounded_numbers(function, expected):
    program, _ = trace(function, X)
    assert freely_rounded(program).isdisjoint(program.outputs) == expected


def test_what_the_values_do_not_need_does_not_count():
    program, _ = trace(lambda x: (jnp.exp(x), x.T), X)
    assert not freely_rounded(program).isdisjoint(program.outputs)
    assert freely_rounded(program).isdisjoint(program.outputs[1:])
