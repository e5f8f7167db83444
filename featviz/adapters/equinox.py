"""Equinox: any module becomes a Model, its layers named as its fields are."""

import dataclasses
import warnings
from collections.abc import Mapping
from functools import cache
from typing import Any

import jax
from jax.custom_batching import custom_vmap

from featviz.adapters.adapter_errors import missing_framework, require_input
from featviz.adapters.first_output import first_output
from featviz.adapters.traced import build_model
from featviz.errors import FeatvizError
from featviz.model import InputSpec, Model, Weights
from featviz.tracing.marks import entry_name, mark, module_scope


def from_equinox(
    module: Any,
    *,
    input: InputSpec | None = None,
    state: Any = None,
    name: str | None = None,
    axes: Mapping[str, int] | None = None,
    classes: tuple[str, ...] = (),
    source: Mapping[str, str] | None = None,
    **kwargs: Any,
) -> Model:
    """A Model of an Equinox module that takes one image, channels first; it is run with `jax.vmap`.

    Layers are the outputs of all submodules, by the path of their fields (`blocks/3/mlp/linear1`), and every ReLU or
    other activation function in the program. The network runs in inference mode.

    Args:
        module: The network. Its arrays, and those of `state`, become `Model.weights`.
        input: How the network takes its images; `channels_first` is set.
        state: Its state, as `eqx.nn.make_with_state` returns it, where it has one.
        name: What captions and messages call it, by default the module's class.
        axes: By layer or pattern of layers, the axis of its units in the array that the network computes, such as
            `{"mixer": 2}`, where featviz's is not right.
        classes: The names of its outputs.
        source: Where it comes from, as pictures record it.
        **kwargs: Passed to the module's `__call__`, such as `key=None`.

    Returns:
        The Model.

    Raises:
        FeatvizError: If Equinox is not installed, `module` is not an Equinox module, `input` is missing, or the network
            fails on an image of the size of `input`.
    """
    eqx = _import()
    if not isinstance(module, eqx.Module) or not callable(module):
        raise FeatvizError(f"`module` is a {type(module).__name__}; expected an equinox.Module that can be called")
    input = require_input(input, type(module).__name__, channels_first=False)
    kept = _kept_state(eqx, module)
    weights, static = eqx.partition((module, state), eqx.is_array)
    precision = _half_precision(eqx, weights)

    def forward(weights: Weights, encoded: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        network, network_state = eqx.combine(weights, static)
        network = _mark_modules(eqx, eqx.nn.inference_mode(network), "")
        encoded = encoded if precision is None else encoded.astype(precision)

        def run(image: jax.Array) -> Any:
            if network_state is None:
                return first_output(network(image, **kwargs), of_one_image=True)
            return first_output(network(image, network_state, **kwargs)[0], of_one_image=True)

        return jax.vmap(run)(encoded), {}

    try:
        model = build_model(
            forward,
            weights,
            dataclasses.replace(input, channels_first=True),
            name=name or type(module).__name__,
            axes=axes,
            classes=classes,
            source=source,
        )
    except FeatvizError as error:
        if not kept or not (state is None or isinstance(error.__cause__, KeyError)):
            raise
        found = "is None" if state is None else "is of another network"
        raise FeatvizError(
            f"`state` {found}, and {type(module).__name__} keeps state in `{kept[0]}`; expected `state`, as "
            "eqx.nn.make_with_state returns it with the network"
        ) from error
    if kept and state is None:
        warnings.warn(
            f"`state` is None: {model.name} runs without the state of `{kept[0]}`, the statistics of a norm say",
            stacklevel=2,
        )
    return model


def _half_precision(eqx: Any, weights: Weights) -> Any:
    """The type of a network's weights where all are of one half precision, which its image must have too."""
    kinds = {leaf.dtype for leaf in jax.tree.leaves(weights) if eqx.is_inexact_array(leaf)}
    return kinds.pop() if len(kinds) == 1 and next(iter(kinds)).itemsize == 2 else None


def _kept_state(eqx: Any, module: Any) -> list[str]:
    """The paths of the modules that keep state, such as a batch norm's statistics."""
    is_index = lambda node: isinstance(node, eqx.nn.StateIndex)  # noqa: E731
    leaves = jax.tree_util.tree_leaves_with_path(module, is_leaf=is_index)
    return ["/".join(map(entry_name, path[:-1])) for path, leaf in leaves if is_index(leaf)]


def _mark_modules(eqx: Any, tree: Any, path: str) -> Any:
    """A copy of the tree, since modules are frozen, in which each module marks what it returns."""

    def below(key: Any, child: Any) -> Any:
        return _mark_modules(eqx, child, f"{path}/{key}" if path else str(key))

    if isinstance(tree, eqx.Module):
        kind: Any = type(tree)
        copy = object.__new__(_marking_class(kind, path))
        for field in dataclasses.fields(tree):
            # A field that was never set stays unset.
            if field.name in vars(tree):
                object.__setattr__(copy, field.name, below(field.name, vars(tree)[field.name]))
        return copy
    if type(tree) in (list, tuple):
        return type(tree)(below(index, child) for index, child in enumerate(tree))
    return {key: below(key, child) for key, child in tree.items()} if type(tree) is dict else tree


@cache
def _marking_class(kind: Any, path: str) -> Any:
    """A subclass that marks what `__call__` returns, defined or inherited."""
    if not any("__call__" in vars(base) for base in kind.__mro__):
        return kind

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        with module_scope(path):
            output = kind.__call__(self, *args, **kwargs)
            # A dropout that drops nothing must not rename its input.
            return output if any(output is argument for argument in args) else _mark_arrays(_marker(path), output)

    return type(kind)(
        kind.__name__, (kind,), {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__call__": call}
    )


def _mark_arrays(marker: Any, output: Any) -> Any:
    """The output with its arrays marked, its dicts in their own order, where JAX would sort them."""
    if type(output) is dict:
        return {key: _mark_arrays(marker, value) for key, value in output.items()}
    return jax.tree.map(marker, output)


def _marker(path: str) -> Any:
    """A function that marks an array; under `vmap`, the array of all images, on whose first axis they are."""

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
    except ImportError as error:
        raise missing_framework("equinox", error) from None
    return equinox
