"""Flax nnx: any module becomes a Model, its layers named as its attributes are."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from featviz.adapters.adapter_errors import require_input
from featviz.adapters.first_output import first_output
from featviz.adapters.traced import build_model
from featviz.errors import FeatvizError
from featviz.model import InputSpec, Model, Weights
from featviz.tracing.marks import mark, module_scope


def from_nnx(
    module: nnx.Module,
    *,
    input: InputSpec | None = None,
    name: str | None = None,
    axes: Mapping[str, int] | None = None,
    classes: tuple[str, ...] = (),
    source: Mapping[str, str] | None = None,
    **kwargs: Any,
) -> Model:
    """A Model of a Flax nnx module, which is left as it is.

    Layers are the outputs of all submodules, by the path of their attributes (`blocks/3/mlp/linear1`), the values that
    they sow, and every ReLU or other activation function in the program, also one that is a plain function
    (`conv/relu`). A module called twice gives `conv` and `conv[1]`; one that `nnx.scan` repeats, `blocks[3]/mlp`. The
    network runs as after `module.eval()`, with the random numbers that it would draw now.

    Args:
        module: The network. `weights_of(module)` gives its weights later in its training.
        input: How the network takes its images.
        name: What captions and messages call it, by default the module's class.
        axes: By layer or pattern of layers, the axis of its units in the array that the network computes, such as
            `{"mixer": 2}`, where featviz's is not right.
        classes: The names of its outputs.
        source: Where it comes from, as pictures record it.
        **kwargs: Passed to the module's `__call__`.

    Returns:
        The Model.

    Raises:
        FeatvizError: If `module` is not an nnx module, `input` is missing, or the network fails on images of the size
            of `input`.

    >>> module = nnx.Sequential(nnx.Conv(3, 4, (3, 3), rngs=nnx.Rngs(0)), nnx.relu)
    >>> model = from_nnx(module, input=InputSpec(size=(8, 8)))
    >>> [(layer.name, layer.shape) for layer in model.layers]
    [('layers/0', (8, 8, 4)), ('layers/0/relu', (8, 8, 4))]
    """
    if not isinstance(module, nnx.Module):
        raise FeatvizError(f"`module` is a {type(module).__name__}; expected an instance of a flax.nnx.Module")
    input = require_input(input, type(module).__name__, channels_first=False)
    parts: Any = nnx.split(module, nnx.RngState, ...)
    graph, random, state = parts
    # Only shapes are kept of the state that `forward` receives: training may delete the arrays.
    state = jax.tree.map(_shape, state)
    random_structure = jax.tree.structure(random)
    random_data = [_key_data(leaf) for leaf in jax.tree.leaves(random)]

    def forward(weights: Weights, encoded: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        leaves = [
            jnp.asarray(data) if impl is None else jax.random.wrap_key_data(jnp.asarray(data), impl=impl)
            for impl, data in random_data
        ]
        filled = jax.tree.map(lambda leaf: leaf, state)
        nnx.replace_by_pure_dict(filled, weights)
        copy = nnx.merge(graph, jax.tree.unflatten(random_structure, leaves), filled, copy=True)
        copy.eval()
        for path, submodule in list(nnx.iter_modules(copy)):
            # Splitting and merging the module again, as nnx.scan does, keeps the class, and so the marks.
            object.__setattr__(submodule, "__class__", _marking_class(type(submodule), "/".join(map(str, path))))
        output = copy(encoded, **kwargs)
        return first_output(output), {}

    return build_model(
        forward,
        weights_of(module),
        input,
        name=name or type(module).__name__,
        axes=axes,
        classes=classes,
        source=source,
    )


def weights_of(module: nnx.Module | nnx.State) -> Weights:
    """A module's weights, batch statistics and all other state but random numbers, as `Model.weights` has them.

    Nothing is copied.

    Args:
        module: A module, or its state as `nnx.split` and `nnx.state` return it.

    >>> list(weights_of(nnx.Linear(2, 3, rngs=nnx.Rngs(0))))
    ['bias', 'kernel']
    """
    state = module if isinstance(module, nnx.State) else nnx.state(module)
    return nnx.to_pure_dict(nnx.filter_state(state, nnx.Not(nnx.RngState)))


@cache
def _marking_class(kind: type[nnx.Module], path: str) -> type[nnx.Module]:
    """A subclass that marks what `__call__` returns, defined or inherited, and what the module sows."""

    def call(self: nnx.Module, *args: Any, **kwargs: Any) -> Any:
        with module_scope(path):
            output = kind.__call__(self, *args, **kwargs)
            # A dropout that drops nothing must not rename its input.
            return output if any(output is argument for argument in args) else mark(path, output)

    def sow(self: nnx.Module, variable_type: object, name: str, value: object, *args: Any, **kwargs: Any) -> bool:
        mark(f"{path}/{name}" if path else name, value)
        return True

    def perturb(self: nnx.Module, name: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        return value

    attributes = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "sow": sow, "perturb": perturb}
    attributes |= {"__call__": call} if any("__call__" in vars(base) for base in kind.__mro__) else {}
    meta: Any = type(kind)
    return meta(kind.__name__, (kind,), attributes, pytree=kind._pytree__is_pytree)


def _shape(leaf: jax.Array) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(np.shape(leaf), leaf.dtype)


def _key_data(leaf: jax.Array) -> tuple[Any, np.ndarray]:
    """A key's implementation and data, which a program may hold as constants; of a counter, None and its value."""
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.key_impl(leaf), np.asarray(jax.random.key_data(leaf))
    return None, np.asarray(leaf)
