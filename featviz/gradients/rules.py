"""Which rules run on which backend: each where it was measured to gain, and nowhere else."""

from featviz.gradients.convolution import phased_convolution
from featviz.gradients.pooling import indexed_max_pool
from featviz.gradients.power import constant_power
from featviz.trace import Rule

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
