"""Equinox: any module becomes a Model, its layers named as its fields are."""

import dataclasses
from collections.abc import Mapping
from functools import cache
from typing import Any

import jax
from jax.custom_batching import custom_vmap

from featviz.adapters.input_hint import require_input
from featviz.adapters.traced import build_model
from featviz.errors import FeatvizError
from featviz.model import InputSpec, Model, Weights
from featviz.tracing.marks import mark, module_scope


def from_equinox(
    module: Any,
    *,
    input: InputSpec | None = None,
    state: Any = None,
    name: str | None = None,
    classes: tuple[str, ...] = (),
    source: Mapping[str, str] | None = None,
    **kwargs: Any,
) -> Model:
    """A Model of an Equinox module, written as they are for one image of channels first; `vmap` is put around it here.

    Layers are the outputs of all submodules, by the path of their fields (`blocks/3/mlp/linear1`), and every ReLU or
    other activation function in the program. The network runs in inference mode. `state` is that of
    `eqx.nn.make_with_state`, where it has one; `kwargs` go to its `__call__` (`key=None`). Its weights are all arrays
    of the module, and of the state. `input` is taken with channels first.

    Raises: FeatvizError if `module` is no Equinox module, or fails on an image of the size of `input`.
    """
    eqx = _import()
    if not isinstance(module, eqx.Module) or not callable(module):
        raise FeatvizError(f"`module` is a {type(module).__name__}; expected an equinox.Module that can be called")
    input = require_input(input, type(module).__name__, channels_first=False)
    whole = (module, state)
    weights, rest = eqx.partition(whole, eqx.is_array)

    def forward(weights: Weights, encoded: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        called, kept = eqx.combine(weights, rest)
        called = _mark_modules(eqx, eqx.nn.inference_mode(called), "")

        def one(image: jax.Array) -> Any:
            return called(image, **kwargs) if kept is None else called(image, kept, **kwargs)[0]

        return jax.tree.leaves(jax.vmap(one)(encoded))[0], {}

    return build_model(
        forward,
        weights,
        dataclasses.replace(input, channels_first=True),
        name=name or type(module).__name__,
        classes=classes,
        source=source,
    )


def _mark_modules(eqx: Any, tree: Any, path: str) -> Any:
    """The tree with modules whose classes name what they return; modules are frozen, so that these are copies."""

    def below(key: Any, child: Any) -> Any:
        return _mark_modules(eqx, child, f"{path}/{key}" if path else str(key))

    if isinstance(tree, eqx.Module):
        kind: Any = type(tree)
        copy = object.__new__(_marked(kind, path))
        for field in dataclasses.fields(tree):
            # A field that was never set stays so.
            if field.name in vars(tree):
                object.__setattr__(copy, field.name, below(field.name, vars(tree)[field.name]))
        return copy
    if type(tree) in (list, tuple):
        return type(tree)(below(number, child) for number, child in enumerate(tree))
    return {key: below(key, child) for key, child in tree.items()} if type(tree) is dict else tree


@cache
def _marked(kind: Any, path: str) -> Any:
    """A module's class that names what its `__call__`, its own or an inherited one, returns."""
    if not any("__call__" in vars(base) for base in kind.__mro__):
        return kind

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        with module_scope(path):
            output = kind.__call__(self, *args, **kwargs)
            # A dropout that drops nothing must not take the name of what comes before it.
            return output if any(output is each for each in args) else jax.tree.map(_marker(path), output)

    return type(kind)(
        kind.__name__, (kind,), {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__call__": call}
    )


def _marker(path: str) -> Any:
    """Names an array of one image: under `vmap`, that of all images, which are then along its first axis."""

    @custom_vmap
    def named(array: jax.Array) -> jax.Array:
        return array

    @named.def_vmap
    def batched(size: int, is_batched: list[bool], array: jax.Array) -> tuple[jax.Array, bool]:
        return mark(path, array), True

    return lambda leaf: named(leaf) if isinstance(leaf, jax.Array) else leaf


def _import() -> Any:
    try:
        import equinox
    except ImportError:
        raise FeatvizError("`from_equinox` needs Equinox; expected `pip install featviz[equinox]`") from None
    return equinox
