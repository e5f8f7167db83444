"""Which gradient rules run on which backend: each only where it was measured to gain."""

import jax
from jaxtyping import Array, Float

from featviz.gradients.convolution import phased_convolution
from featviz.gradients.dense_convolution import dense_convolution, pointwise_convolution
from featviz.gradients.error_function import complementary_error_function
from featviz.gradients.max_pooling import indexed_max_pool
from featviz.gradients.power import constant_power
from featviz.gradients.row_maximum import row_maximum
from featviz.gradients.shifted_convolution import shifted_convolution
from featviz.model import Activations, Apply, Weights
from featviz.tracing.evaluation import Rule, evaluate
from featviz.tracing.program import trace

# XLA's own convolutions are good on accelerators; its gradient of max pooling is a scatter everywhere.
ACCELERATOR: tuple[Rule, ...] = (indexed_max_pool, constant_power)
CPU: tuple[Rule, ...] = (
    *ACCELERATOR,
    shifted_convolution,
    pointwise_convolution,
    phased_convolution,
    dense_convolution,
    complementary_error_function,
    row_maximum,
)


def rules_for(backend: str) -> tuple[Rule, ...]:
    """The rules with exact gradients that run faster than XLA's on a backend (benchmarks/rules.py measures each).

    Args:
      backend: as `jax.default_backend()` names it.

    >>> phased_convolution in rules_for("cpu"), phased_convolution in rules_for("gpu")
    (True, False)
    """
    return CPU if backend == "cpu" else ACCELERATOR


def run_with_rules(
    apply: Apply,
    weights: Weights,
    images: Float[Array, "n ..."],
    layers: tuple[str, ...],
    *,
    extra_rules: tuple[Rule, ...] = (),
) -> Activations:
    """The named activations of images, with this backend's faster gradients.

    Args:
      apply: a network's `Model.apply`.
      weights: its weights.
      images: the images.
      layers: the names of the activations.
      extra_rules: rules that apply after the backend's.

    >>> double = lambda weights, images, *, layers: {layer: weights * images for layer in layers}
    >>> run_with_rules(double, 2.0, jax.numpy.ones(2), ("twice",))["twice"].tolist()
    [2.0, 2.0]
    """

    def forward(*leaves: jax.Array) -> dict[str, jax.Array]:
        return apply(*jax.tree.unflatten(structure, leaves), layers=layers)

    leaves, structure = jax.tree.flatten((weights, images))
    program, shapes = trace(forward, *leaves)
    values = evaluate(program, leaves, program.outputs, rules=(*rules_for(jax.default_backend()), *extra_rules))
    return dict(zip(shapes, values, strict=True))
