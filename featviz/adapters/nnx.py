"""Flax nnx: any module becomes a Model, its layers named as its attributes are."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from featviz.adapters.input_hint import require_input
from featviz.adapters.traced import build_model
from featviz.errors import FeatvizError
from featviz.model import InputSpec, Model, Weights
from featviz.tracing.marks import mark, module_scope


def from_nnx(
    module: nnx.Module,
    *,
    input: InputSpec | None = None,
    name: str | None = None,
    classes: tuple[str, ...] = (),
    source: Mapping[str, str] | None = None,
    **kwargs: Any,
) -> Model:
    """A Model of a Flax nnx module, which stays as it is.

    Layers are the outputs of all submodules, by the path of their attributes (`blocks/3/mlp/linear1`), what they sow,
    and every ReLU or other activation function in the program, also one that is a plain function (`conv/relu`). A
    module called twice gives `conv` and `conv[1]`; one that `nnx.scan` repeats, `blocks[3]/mlp`. The network runs as
    after `module.eval()`, with the random numbers that it would draw now, and `kwargs` go to its `__call__`.
    `weights_of(module)` are the weights of the module as it is later in its training.

    >>> module = nnx.Sequential(nnx.Conv(3, 4, (3, 3), rngs=nnx.Rngs(0)), nnx.relu)
    >>> model = from_nnx(module, input=InputSpec(size=(8, 8)))
    >>> [(layer.name, layer.shape) for layer in model.layers]
    [('layers/0', (8, 8, 4)), ('layers/0/relu', (8, 8, 4))]

    Raises: FeatvizError if `module` is no nnx module, or fails on images of the size of `input`.
    """
    if not isinstance(module, nnx.Module):
        raise FeatvizError(f"`module` is a {type(module).__name__}; expected an instance of a flax.nnx.Module")
    input = require_input(input, type(module).__name__, channels_first=False)
    parts: Any = nnx.split(module, nnx.RngState, ...)
    graph, random, state = parts
    # Only the shapes are kept of what is given anew each time: training may well throw the arrays away.
    state = jax.tree.map(_shape, state)
    drawn = jax.tree.structure(random)
    draws = [_open_key(leaf) for leaf in jax.tree.leaves(random)]

    def forward(weights: Weights, encoded: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        leaves = [
            jnp.asarray(data) if kind is None else jax.random.wrap_key_data(jnp.asarray(data), impl=kind)
            for kind, data in draws
        ]
        given = jax.tree.map(lambda leaf: leaf, state)
        nnx.replace_by_pure_dict(given, weights)
        copy = nnx.merge(graph, jax.tree.unflatten(drawn, leaves), given, copy=True)
        copy.eval()
        for path, each in list(nnx.iter_modules(copy)):
            # What splits and merges the module again, as nnx.scan does, keeps the class, and so the marks.
            object.__setattr__(each, "__class__", _marked(type(each), "/".join(map(str, path))))
        output = copy(encoded, **kwargs)
        return jax.tree.leaves(output)[0], {}

    return build_model(
        forward, weights_of(module), input, name=name or type(module).__name__, classes=classes, source=source
    )


def weights_of(module: nnx.Module | nnx.State) -> Weights:
    """A module's weights, batch statistics and all other state but random numbers, as `Model.weights` has them.

    Also of its state, as `nnx.split` and `nnx.state` give it. Nothing is copied.

    >>> list(weights_of(nnx.Linear(2, 3, rngs=nnx.Rngs(0))))
    ['bias', 'kernel']
    """
    state = module if isinstance(module, nnx.State) else nnx.state(module)
    return nnx.to_pure_dict(nnx.filter_state(state, nnx.Not(nnx.RngState)))


@cache
def _marked(kind: type[nnx.Module], path: str) -> type[nnx.Module]:
    """A module's class that names what its `__call__`, its own or an inherited one, returns, and what it sows."""

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        with module_scope(path):
            output = kind.__call__(self, *args, **kwargs)
            # A dropout that drops nothing must not take the name of what comes before it.
            return output if any(output is each for each in args) else mark(path, output)

    def sow(self: Any, variable_type: Any, name: str, value: Any, *args: Any, **kwargs: Any) -> bool:
        mark(f"{path}/{name}" if path else name, value)
        return True

    def perturb(self: Any, name: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        return value

    body = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "sow": sow, "perturb": perturb}
    body |= {"__call__": call} if any("__call__" in vars(base) for base in kind.__mro__) else {}
    meta: Any = type(kind)
    return meta(kind.__name__, (kind,), body, pytree=kind._pytree__is_pytree)


def _shape(leaf: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(np.shape(leaf), leaf.dtype)


def _open_key(leaf: jax.Array) -> tuple[Any, np.ndarray]:
    """A key's kind and numbers, which a program may hold as a constant; of a count, no kind and the count."""
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.key_impl(leaf), np.asarray(jax.random.key_data(leaf))
    return None, np.asarray(leaf)
