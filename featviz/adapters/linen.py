"""Flax linen: any module becomes a Model, its layers named as its modules are."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax

from featviz.adapters.capture import capture, describe_layers, flatten_named
from featviz.model import OUTPUT, InputSpec, Model, Weights


def from_linen(
    module: nn.Module,
    variables: Mapping[str, Any],
    *,
    input: InputSpec,
    name: str | None = None,
    classes: tuple[str, ...] = (),
    source: Mapping[str, str] | None = None,
    **kwargs: Any,
) -> Model:
    """A Model of a Flax linen module and its variables.

    Layers are the outputs of all submodules, by path (`block1/conv`), and every ReLU in the program, also one
    that is a plain function (`block1/conv/relu`). A module called twice gives `conv` and `conv[1]`.
    `kwargs` go to the module's `__call__` (`train=False`). The variables are an argument of
    `Model.apply`, never compiled in.

    >>> module = nn.Sequential([nn.Conv(4, (3, 3)), nn.relu])
    >>> spec = InputSpec(size=(8, 8))
    >>> variables = module.init(jax.random.key(0), jax.numpy.zeros((1, 8, 8, 3)))
    >>> [(layer.name, layer.shape) for layer in from_linen(module, variables, input=spec).layers]
    [('layers_0', (8, 8, 4)), ('layers_0/relu', (8, 8, 4))]
    """

    def forward(weights: Weights, encoded: jax.Array) -> dict[str, jax.Array]:
        output, state = module.apply(weights, encoded, capture_intermediates=True, mutable=["intermediates"], **kwargs)
        named = _named_outputs(state["intermediates"])
        leaves = jax.tree.leaves(output)
        return {**named, OUTPUT: leaves[0]}

    layers, relus = describe_layers(forward, variables, input)
    return Model(
        name=name or type(module).__name__,
        apply=capture(forward, input),
        weights=variables,
        layers=layers,
        input=input,
        relus=relus,
        classes=classes,
        source=dict(source or {}),
    )


def _named_outputs(intermediates: Mapping[str, Any]) -> dict[str, jax.Array]:
    """Flax's nested dict of `__call__` tuples as one dict by module path, without the network's own output."""
    named: dict[str, jax.Array] = {}

    def visit(tree: Mapping[str, Any], path: tuple[str, ...]) -> None:
        for key, value in tree.items():
            if isinstance(value, Mapping):
                visit(value, (*path, key))
                continue
            stem = "/".join(path if key == "__call__" else (*path, key))
            for call, output in enumerate(value if isinstance(value, tuple) else (value,)):
                if stem:
                    named.update(flatten_named(output, prefix=stem if call == 0 else f"{stem}[{call}]"))

    visit(intermediates, ())
    return named
