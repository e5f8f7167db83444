"""A plain function becomes a Model, its layers named by dict keys, scopes and operations of its traced program."""

from collections.abc import Callable, Mapping

import jax

from featviz.adapters.adapter_errors import require_input
from featviz.adapters.first_output import first_output
from featviz.adapters.traced import build_model
from featviz.errors import FeatvizError, suggest
from featviz.model import InputSpec, Model, Weights
from featviz.tracing.marks import mark


def from_function(
    function: Callable[[Weights, jax.Array], jax.Array | Mapping[str, jax.Array]],
    weights: Weights,
    *,
    input: InputSpec | None = None,
    output: str | None = None,
    name: str | None = None,
    axes: Mapping[str, int] | None = None,
    classes: tuple[str, ...] = (),
    source: Mapping[str, str] | None = None,
) -> Model:
    """A Model of a plain function of weights and images.

    Layers are named by the keys of the dict that it returns, by each `jax.named_scope` that values leave, and by
    `jax.ad_checkpoint.checkpoint_name`; where nothing else names a value, by its operation (`conv`, `dot_1`), its bias
    added. ReLUs and other activation functions follow them: `conv/relu`, `block/gelu`. A scan's layers have the
    iteration's index, `blocks[3]/mlp`; a picture of this one runs three iterations and a part of the fourth.

    Args:
        function: `(weights, images)` -> an array, or a dict of arrays by name.
        weights: A pytree of arrays; they are an argument of `Model.apply`, never compiled in.
        input: How the network takes its images.
        output: The key of the network's output in the dict, by default the last one.
        name: What captions and messages call the network, by default the function's name.
        axes: By layer or pattern of layers, the axis of its units in the array that the network computes, such as
            `{"mixer": 2}`, where featviz's is not right.
        classes: The names of its outputs.
        source: Where it comes from, as pictures record it.

    Returns:
        The Model.

    Raises:
        FeatvizError: If `input` is missing, or the function fails on images of its size or returns no array.

    >>> def network(weights, images):
    ...     h = jax.nn.relu(jnp.einsum("nhwc,cd->nhwd", images, weights["in"]))
    ...     return jnp.mean(h, axis=(1, 2)) @ weights["out"]
    >>> import jax.numpy as jnp
    >>> weights = {"in": jnp.ones((3, 4)), "out": jnp.ones((4, 2))}
    >>> [(layer.name, layer.shape) for layer in from_function(network, weights, input=InputSpec(size=(8, 8))).layers]
    [('dot', (8, 8, 4)), ('dot/relu', (8, 8, 4)), ('dot_1', (2,))]
    """
    if not callable(function):
        raise FeatvizError(f"`function` is a {type(function).__name__}; expected one of (weights, images)")
    function_name = str(getattr(function, "__name__", type(function).__name__))
    input = require_input(input, f"`{function_name}`", channels_first=False)

    def forward(weights: Weights, encoded: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        result = function(weights, encoded)
        if not isinstance(result, Mapping):
            if not jax.tree.leaves(result):
                raise FeatvizError(
                    f"`function` returned a {type(result).__name__}; expected an array, or a dict of arrays"
                )
            return first_output(result), {}
        if not result:
            raise FeatvizError("`function` returned an empty dict; expected an array, or a dict of arrays")
        key = list(result)[-1] if output is None else output
        if key not in result:
            raise FeatvizError(f"`output` is `{output}`, which the function does not return; {suggest(key, result)}")
        for name, value in result.items():
            mark(str(name), value)
        return first_output(result[key]), {}

    return build_model(
        forward, weights, input, name=name or function_name, by_scope=True, axes=axes, classes=classes, source=source
    )
