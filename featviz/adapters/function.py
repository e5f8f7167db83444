"""A plain function becomes a Model, its layers named by what the traced program shows of them."""

from collections.abc import Callable, Mapping
from typing import Any

import jax

from featviz.adapters.input_hint import require_input
from featviz.adapters.traced import build_model
from featviz.errors import FeatvizError, nearest
from featviz.model import InputSpec, Model, Weights
from featviz.tracing.marks import mark


def from_function(
    function: Callable[[Weights, jax.Array], Any],
    weights: Weights,
    *,
    input: InputSpec | None = None,
    output: str | None = None,
    name: str | None = None,
    classes: tuple[str, ...] = (),
    source: Mapping[str, str] | None = None,
) -> Model:
    """A Model of a plain function: `(weights, images)` -> an array, or a dict of arrays by name.

    Layers are named by the keys of the dict; by what leaves each `jax.named_scope`, and what
    `jax.ad_checkpoint.checkpoint_name` names; where nothing else has a name by the operation, `conv`, `dot_1`, their
    bias added; and by the ReLUs and other activation functions after them, `conv/relu`, `block/gelu`. What a scan
    repeats has its iteration's number: `blocks[3]/mlp`, and a picture of it takes three iterations and a part of the
    fourth. The network's output is the array, or the dict's item `output`, by default its last.
    `weights` is any tree of arrays; they are an argument of `Model.apply`, never compiled in.

    >>> def network(weights, images):
    ...     h = jax.nn.relu(jnp.einsum("nhwc,cd->nhwd", images, weights["in"]))
    ...     return jnp.mean(h, axis=(1, 2)) @ weights["out"]
    >>> import jax.numpy as jnp
    >>> weights = {"in": jnp.ones((3, 4)), "out": jnp.ones((4, 2))}
    >>> [(layer.name, layer.shape) for layer in from_function(network, weights, input=InputSpec(size=(8, 8))).layers]
    [('dot', (8, 8, 4)), ('dot/relu', (8, 8, 4)), ('dot_1', (2,))]

    Raises: FeatvizError if the function fails on images of the size of `input`, or returns no array.
    """
    if not callable(function):
        raise FeatvizError(f"`function` is a {type(function).__name__}; expected one of (weights, images)")
    called = str(getattr(function, "__name__", type(function).__name__))
    input = require_input(input, f"`{called}`", channels_first=False)

    def forward(weights: Weights, encoded: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        result = function(weights, encoded)
        if not isinstance(result, Mapping):
            leaves = jax.tree.leaves(result)
            if not leaves:
                raise FeatvizError(
                    f"`function` returned a {type(result).__name__}; expected an array, or a dict of arrays"
                )
            return leaves[0], {}
        if not result:
            raise FeatvizError("`function` returned an empty dict; expected an array, or a dict of arrays")
        chosen = list(result)[-1] if output is None else output
        if chosen not in result:
            raise FeatvizError(f"`output` is `{output}`, which the function does not return; {nearest(chosen, result)}")
        for key, value in result.items():
            mark(str(key), value)
        return jax.tree.leaves(result[chosen])[0], {}

    return build_model(
        forward,
        weights,
        input,
        name=name or called,
        by_scope=True,
        classes=classes,
        source=source,
    )
