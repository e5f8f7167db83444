"""Which rules run on which backend: each where it was measured to gain, and nowhere else."""

import jax

from featviz.gradients.convolution import phased_convolution
from featviz.gradients.max_pooling import indexed_max_pool
from featviz.gradients.power import constant_power
from featviz.model import Activations, Apply, Weights
from featviz.tracing.evaluation import Rule, evaluate
from featviz.tracing.program import trace

# XLA's own convolutions are good on accelerators; its gradient of max pooling is a scatter everywhere.
ACCELERATOR: tuple[Rule, ...] = (indexed_max_pool, constant_power)
CPU: tuple[Rule, ...] = (*ACCELERATOR, phased_convolution)


def rules_for(backend: str) -> tuple[Rule, ...]:
    """Exact gradients that run faster than XLA's own on a backend, as `jax.default_backend()` names it.

    `benchmarks/rules.py` measures the gain of each.

    >>> phased_convolution in rules_for("cpu"), phased_convolution in rules_for("gpu")
    (True, False)
    """
    return CPU if backend == "cpu" else ACCELERATOR


def run_with_rules(
    apply: Apply, weights: Weights, images: jax.Array, layers: tuple[str, ...], *, more: tuple[Rule, ...] = ()
) -> Activations:
    """The named activations of images, with this backend's faster gradients and the rules `more`.

    >>> double = lambda weights, images, *, layers: {layer: weights * images for layer in layers}
    >>> run_with_rules(double, 2.0, jax.numpy.ones(2), ("twice",))["twice"].tolist()
    [2.0, 2.0]
    """

    def forward(*leaves: jax.Array) -> dict[str, jax.Array]:
        return apply(*jax.tree.unflatten(structure, leaves), layers=layers)

    leaves, structure = jax.tree.flatten((weights, images))
    program, shapes = trace(forward, *leaves)
    values = evaluate(program, leaves, program.outputs, rules=(*rules_for(jax.default_backend()), *more))
    return dict(zip(shapes, values, strict=True))
