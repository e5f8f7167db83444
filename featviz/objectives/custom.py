"""An objective that is any function of the activations."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import jax
import jax.numpy as jnp

from featviz.errors import FeatvizError
from featviz.model import Activations
from featviz.objectives.base import Objective, Shapes, single


@partial(jax.tree_util.register_dataclass, data_fields=[], meta_fields=["name", "layers", "function"])
@dataclass(frozen=True)
class Function:
    """A function of named layers; its canonical form is its name."""

    name: str
    layers: tuple[str, ...]
    function: Callable[..., jax.Array] = field(metadata={"canonical": False})

    @property
    def label(self) -> str:
        return self.name

    def value(self, activations: Activations) -> jax.Array:
        return self.function(*(activations[layer] for layer in self.layers))

    def check(self, shapes: Shapes) -> None:
        # Of two images: a function that forgets to keep them apart gives a single number.
        images = [jax.ShapeDtypeStruct((2, *shapes[layer]), jnp.float32) for layer in self.layers]
        try:
            found = jax.eval_shape(self.function, *images)
        except Exception as error:
            line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise FeatvizError(
                f"`function` {self.name} fails on activations {[image.shape for image in images]}: {line}"
            ) from error
        shape = getattr(found, "shape", None)
        if shape != (2,):
            raise FeatvizError(
                f"`function` {self.name} gives {shape} for two images; expected (2,), one number an image"
            )


def function(f: Callable[..., jax.Array], *layers: str, name: str) -> Objective:
    """Any function of activations: `f(h_1, ..., h_k)` of the named layers, each (n, ...), gives (n,) numbers.

    `name` stands for it in captions and seeds its draws; no command can make its pictures again. One function object
    compiles once, so a factory that makes a new one each time compiles each time.

    >>> brightest = function(lambda h: jnp.max(h, axis=(1, 2, 3)), "conv1", name="brightest")
    >>> float(brightest({"conv1": jnp.arange(8.0).reshape(1, 2, 2, 2)})[0]), brightest.label
    (7.0, 'brightest')

    Raises: FeatvizError without layers; by render, if the function does not give one number an image.
    """
    if not layers:
        raise FeatvizError("`layers` is empty; expected the names of the layers that the function takes")
    return single(Function(name, layers, f))
