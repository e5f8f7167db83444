"""Flax linen: any module becomes a Model, its layers named as its modules are."""

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
from flax.traverse_util import flatten_dict

from featviz.adapters.input_hint import require_input
from featviz.adapters.traced import build_model
from featviz.errors import FeatvizError
from featviz.model import InputSpec, Model, Weights
from featviz.tracing.marks import clean_name, mark


def from_linen(
    module: nn.Module,
    variables: Mapping[str, Any],
    *,
    input: InputSpec | None = None,
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

    Raises: FeatvizError if `module` is no linen module, or fails on images of the size of `input`.
    """
    if not isinstance(module, nn.Module):
        raise FeatvizError(f"`module` is a {type(module).__name__}; expected an instance of a flax.linen.Module")
    input = require_input(input, type(module).__name__, channels_first=False)
    # Batch statistics are only written in training; whatever else a network keeps for itself is thrown away.
    collections = [each for each in variables if each not in ("params", "batch_stats")]

    def forward(weights: Weights, encoded: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        with nn.intercept_methods(_mark_outputs):
            output, state = module.apply(weights, encoded, mutable=["intermediates", *collections], **kwargs)
        return jax.tree.leaves(output)[0], _sown(state.get("intermediates", {}))

    return build_model(forward, variables, input, name=name or type(module).__name__, classes=classes, source=source)


def _mark_outputs(call: Callable[..., Any], args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
    """Names what the `__call__` of each module within the network returns."""
    output = call(*args, **kwargs)
    return mark("/".join(context.module.path), output) if context.method_name == "__call__" else output


def _sown(intermediates: Mapping[str, Any]) -> dict[str, jax.Array]:
    """What the modules have sown themselves, by path."""
    named: dict[str, jax.Array] = {}
    for path, values in flatten_dict(intermediates, sep="/").items():
        for number, value in enumerate(values if isinstance(values, tuple) else (values,)):
            if isinstance(value, jax.Array):
                named[clean_name(path) + (f"[{number}]" if number else "")] = value
    return named
