"""Flax linen: any module becomes a Model, its layers named as its modules are."""

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
from flax.errors import InvalidRngError, ModifyScopeVariableError, ScopeCollectionNotFound
from flax.traverse_util import flatten_dict

from featviz.adapters.adapter_errors import require_input
from featviz.adapters.first_output import first_output
from featviz.adapters.traced import build_model
from featviz.common.spelling import Spelled
from featviz.errors import FeatvizError
from featviz.model import InputSpec, Model, Weights
from featviz.tracing.marks import clean_name, mark

NO_MESH = jax.sharding.AbstractMesh((), ())
# What a network that Flax refuses to run needs, by Flax's exception.
EXPECTED: dict[type[Exception], str] = {
    InvalidRngError: "arguments under which it draws nothing, such as train=False, or `rngs={'dropout': key}`",
    ModifyScopeVariableError: "arguments under which it updates nothing, such as train=False",
    ScopeCollectionNotFound: "all `variables` that `module.init` returns, such as {'params': ..., 'batch_stats': ...}",
}


def from_linen(
    module: nn.Module,
    variables: Mapping[str, Any],
    *,
    input: InputSpec | None = None,
    name: str | None = None,
    axes: Mapping[str, int] | None = None,
    classes: tuple[str, ...] = (),
    source: Mapping[str, str] | None = None,
    **kwargs: Any,
) -> Model:
    """A Model of a Flax linen module and its variables.

    Layers are the outputs of all submodules, by path (`block1/conv`), and every ReLU or other activation function in
    the program, also one that is a plain function (`block1/conv/relu`). A module called twice gives `conv` and
    `conv[1]`.

    Args:
        module: The network.
        variables: Its variables, as `module.init` returns them; they become `Model.weights`.
        input: How the network takes its images.
        name: What captions and messages call it, by default the module's class.
        axes: By layer or pattern of layers, the axis of its units in the array that the network computes, such as
            `{"mixer": 2}`, where featviz's is not right.
        classes: The names of its outputs.
        source: Where it comes from, as pictures record it.
        **kwargs: Passed to the module's `__call__`, such as `train=False`.

    Returns:
        The Model.

    Raises:
        FeatvizError: If `module` is not a linen module, `input` is missing, or the network fails on images of the size
            of `input`.

    >>> module = nn.Sequential([nn.Conv(4, (3, 3)), nn.relu])
    >>> spec = InputSpec(size=(8, 8))
    >>> variables = module.init(jax.random.key(0), jax.numpy.zeros((1, 8, 8, 3)))
    >>> [(layer.name, layer.shape) for layer in from_linen(module, variables, input=spec).layers]
    [('layers_0', (8, 8, 4)), ('layers_0/relu', (8, 8, 4))]
    """
    if not isinstance(module, nn.Module):
        raise FeatvizError(f"`module` is a {type(module).__name__}; expected an instance of a flax.linen.Module")
    input = require_input(input, type(module).__name__, channels_first=False)
    # Batch statistics change in training only; other collections that the network writes are discarded.
    collections = [collection for collection in variables if collection not in ("params", "batch_stats")]

    def forward(weights: Weights, encoded: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        # The mesh that pictures are drawn on is not the network's, whose parameters may name axes of their own.
        with nn.intercept_methods(_mark_outputs), jax.sharding.use_abstract_mesh(NO_MESH):
            output, state = module.apply(weights, encoded, mutable=["intermediates", *collections], **kwargs)
        return first_output(output), _sown_values(state.get("intermediates", {}))

    shapes = jax.eval_shape(lambda variables: variables, variables)
    try:
        return build_model(
            forward,
            variables,
            input,
            name=name or type(module).__name__,
            axes=axes,
            classes=classes,
            source=source,
            known=Spelled((module, kwargs, shapes)),
        )
    except FeatvizError as error:
        kinds = [(kind, expected) for kind, expected in EXPECTED.items() if isinstance(error.__cause__, kind)]
        if not kinds:
            raise
        raise FeatvizError(f"{error}; expected {kinds[0][1]}") from error


def _mark_outputs(
    call: Callable[..., Any], args: tuple[object, ...], kwargs: dict[str, object], context: nn.module.InterceptorContext
) -> Any:
    """Names what the `__call__` of each module within the network returns."""
    output = call(*args, **kwargs)
    # A module without parameters may be called without being part of the network, and has no path then.
    bound = context.module.scope is not None
    return mark("/".join(context.module.path), output) if bound and context.method_name == "__call__" else output


def _sown_values(intermediates: Mapping[str, Any]) -> dict[str, jax.Array]:
    """The values that the modules themselves sow, by path."""
    named: dict[str, jax.Array] = {}
    for path, values in flatten_dict(intermediates, sep="/").items():
        for index, value in enumerate(values if isinstance(values, tuple) else (values,)):
            if isinstance(value, jax.Array):
                named[clean_name(path) + (f"[{index}]" if index else "")] = value
    return named
