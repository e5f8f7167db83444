"""An objective that is any function of the activations."""

from collections.abc import Callable
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from featviz.errors import FeatvizError
from featviz.model import Activations
from featviz.objectives.base import STATIC, Shapes, Term
from featviz.objectives.objective import Examples, Objective, single


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Function(Term):
    """function(h_1, ..., h_k) of the named layers. Its canonical form is its name."""

    name: str = field(metadata=STATIC)
    inputs: tuple[str, ...] = field(metadata=STATIC)
    function: Callable[..., jax.Array] = field(metadata={**STATIC, "canonical": False})

    @property
    def layers(self) -> tuple[str, ...]:
        return self.inputs

    @property
    def label(self) -> str:
        return self.name

    def value(self, activations: Activations) -> Float[Array, " n"]:
        return self.function(*(activations[layer] for layer in self.layers))

    def check(self, shapes: Shapes) -> None:
        # Of two images: a function that mixes images gives a single number.
        images = [jax.ShapeDtypeStruct((2, *shapes[layer]), jnp.float32) for layer in self.layers]
        try:
            values = jax.eval_shape(self.function, *images)
        except Exception as error:
            line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise FeatvizError(
                f"`function` {self.name} fails on activations {[image.shape for image in images]}: {line}"
            ) from error
        shape = getattr(values, "shape", None)
        if shape != (2,):
            raise FeatvizError(
                f"`function` {self.name} gives {shape} for two images; expected (2,), one number per image"
            )


def function(f: Callable[..., jax.Array], *layers: str, name: str) -> Objective:
    """Any function of activations: `f(h_1, ..., h_k)` of the named layers.

    One function object compiles once, so a factory that makes a new one at each call compiles at each call. No command
    line can make the pictures again.

    Args:
      f: takes the layers' activations, each (n, ...), and gives (n,) numbers to maximize.
      layers: the names of the layers, at least one.
      name: stands for the function in captions and in the hash that seeds the picture.

    Raises:
      FeatvizError: without layers; by `render`, if the function does not give one number per image.

    >>> brightest = function(lambda h: jnp.max(h, axis=(1, 2, 3)), "conv1", name="brightest")
    >>> float(brightest({"conv1": jnp.arange(8.0).reshape(1, 2, 2, 2)})[0]), brightest.label
    (7.0, 'brightest')
    """
    if not layers:
        raise FeatvizError("`layers` is empty; expected the names of the layers that the function takes")
    return single(Function(name, layers, f))


def _largest(h: Float[Array, "n ..."]) -> Float[Array, " n"]:
    return jnp.max(h.reshape(h.shape[0], -1), axis=1)


EXAMPLES: Examples = {"function": lambda layer, shape: function(_largest, layer, name="largest")}
