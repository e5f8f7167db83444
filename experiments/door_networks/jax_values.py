"""JAX libraries' own values: what modules return in a run that nothing compiles."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from door_networks.comparison import Value


def randomize(weights: Any) -> Any:
    """The weights, drawn at random where they are constant in a fresh network: statistics, biases, small scales."""
    generator = np.random.default_rng(0)

    def draw(leaf: Any) -> Any:
        if not isinstance(leaf, jax.Array) or not jnp.issubdtype(leaf.dtype, jnp.floating) or not leaf.ndim:
            return leaf
        values = np.asarray(leaf)
        if not (values == values.flat[0]).all():
            return leaf
        noise = generator.normal(0, 0.1, values.shape).astype(values.dtype)
        return jnp.asarray(noise if abs(values.flat[0]) < 0.01 else values * (1 + np.abs(noise)))

    return jax.tree.map(draw, weights)


def intermediates(captured: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Value]]:
    """What linen's `capture_intermediates` holds, by path."""
    for name, entry in captured.items():
        if name == "__call__":
            for index, output in enumerate(entry if path else ()):
                if isinstance(output, jax.Array):
                    yield f"{path}[{index}]" if index else path, Value(np.asarray(output), -1)
        elif isinstance(entry, Mapping):
            yield from intermediates(entry, f"{path}/{name}" if path else name)


@contextmanager
def recording(modules: Mapping[str, Any], *, axis: int | None = None) -> Iterator[dict[str, Value]]:
    """While it is open, what modules return is kept by their names; under `vmap`, that of all examples, flattened.

    Args:
        modules: The modules by name, the outermost first.
        axis: Where they have their units.
    """
    names = {id(module): name for name, module in reversed(modules.items())}
    calls: dict[str, list[np.ndarray]] = {}
    counts: dict[str, int] = {}
    active: list[int] = []

    def watch(call: Callable[..., Any]) -> Callable[..., Any]:
        def run(self: Any, *args: Any, **kwargs: Any) -> Any:
            if id(self) not in names or id(self) in active:
                return call(self, *args, **kwargs)
            active.append(id(self))
            try:
                output = call(self, *args, **kwargs)
            finally:
                active.pop()
            # A dropout that drops nothing is no layer.
            if isinstance(output, jax.Array) and not any(output is argument for argument in args):
                name = names[id(self)]
                repeats = counts[name] = counts.get(name, -1) + 1
                kept = calls.setdefault(f"{name}[{repeats}]" if repeats else name, [])
                jax.debug.callback(lambda array: kept.append(np.array(array)), output)
            return output

        return run

    kinds = {type(module) for module in modules.values() if callable(module)}
    own = {kind: vars(kind).get("__call__") for kind in kinds}
    patched = {kind: watch(kind.__call__) for kind in kinds}
    for kind in kinds:
        type.__setattr__(kind, "__call__", patched[kind])
    values: dict[str, Value] = {}
    try:
        yield values
        jax.effects_barrier()
        for name, arrays in calls.items():
            values[name] = Value(arrays[0] if len(arrays) == 1 else np.stack(arrays), axis)
    finally:
        for kind, call in own.items():
            if call is None:
                type.__delattr__(kind, "__call__")
            else:
                type.__setattr__(kind, "__call__", call)
