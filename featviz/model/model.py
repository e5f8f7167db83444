"""What a network is here: a function from weights and images to named activations."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from featviz.errors import FeatvizError, join_or, likely, nearest
from featviz.model.input_spec import InputSpec as InputSpec

# Names that no layer can have: the adapters' names hold no angle brackets.
IMAGE = "<image>"
OUTPUT = "<output>"
# What follows the name of a rectified layer to name what goes into its ReLU.
BEFORE_RELU = "<before ReLU>"

Activations = Mapping[str, jax.Array]
Weights = Any


class Apply(Protocol):
    """`apply(weights, images, layers=None) -> Activations`, of all layers or of those named."""

    def __call__(
        self, weights: Weights, images: jax.Array, *, layers: Sequence[str] | None = None
    ) -> dict[str, jax.Array]: ...

    def __hash__(self) -> int: ...


@dataclass(frozen=True)
class Layer:
    """One named activation: its shape for one image at the training size, without the batch.

    `units` is the size of the last axis, `parents` the named layers that it is computed from. A `rectified` layer
    comes out of ReLUs: its smallest value, 0, is that of every gray image.
    """

    name: str
    shape: tuple[int, ...]
    parents: tuple[str, ...] = ()
    rectified: bool = False

    @property
    def units(self) -> int:
        return self.shape[-1]


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A trained network: `apply(weights, images)` gives its activations by name.

    Images are float32 in [0,1], (n, h, w, c); activations are (n, h, w, c), (n, tokens, c) or (n, c). The
    image itself is among them under `IMAGE` and the network's output under `OUTPUT`.
    """

    name: str
    apply: Apply
    weights: Weights
    layers: tuple[Layer, ...]
    input: InputSpec
    relus: int = 0
    classes: tuple[str, ...] = ()
    source: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        count = len(self.layers)
        size = " x ".join(str(side) for side in (*self.input.size, self.input.channels))
        return f"<Model {self.name}, {count} layer{'s' * (count != 1)}, {size}>"

    def layer(self, name: str) -> Layer:
        """The layer of that name. Raises FeatvizError with the nearest name if there is none."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        names = [layer.name for layer in self.layers]
        raise FeatvizError(f"{self.name} has no layer `{name}`; {nearest(name, names)}")

    def class_number(self, name: str) -> int:
        """The output that stands for a class, by its name or one of its synonyms, which are parted by commas.

        Raises: FeatvizError if the network's classes have no names, or none or several have this one.
        """
        if not self.classes:
            raise FeatvizError(f"the classes of {self.name} have no names; expected the class's number")
        wanted = name.strip().casefold()
        folded = [names.casefold() for names in self.classes]
        if folded.count(wanted) == 1:
            return folded.index(wanted)
        found = [at for at, names in enumerate(folded) if wanted in (each.strip() for each in names.split(","))]
        if len(found) == 1:
            return found[0]
        if found:
            raise FeatvizError(f"`{name}` is the name of classes {', '.join(map(str, found))}; expected one's number")
        raise FeatvizError(f"{self.name} has no class `{name}`; {self._likely_class(name)}")

    def _likely_class(self, name: str) -> str:
        # By any of their names, but told by their numbers: a whole name may have commas, a synonym may be of several.
        synonyms: dict[str, list[int]] = {}
        for at, names in enumerate(self.classes):
            for each in (names, *names.split(",")):
                synonyms.setdefault(each.strip(), []).append(at)
        meant = dict.fromkeys(at for each in likely(name, synonyms) for at in synonyms[each])
        if meant:
            return f"did you mean {join_or([f'{at} (`{self.classes[at]}`)' for at in meant])}?"
        last = len(self.classes) - 1
        return f"expected a name such as `{self.classes[0]}`, or a number, 0 to {last}"


# The adapter that takes a framework's networks, by the beginning of the module that their classes are of.
ADAPTERS = {
    "torch.": "from_torch",
    "keras.": "from_keras",
    "flax.nnx.": "from_nnx",
    "flax.linen.": "from_linen",
    "equinox.": "from_equinox",
    "onnx.": "from_onnx",
}


def require_model(given: Any, *, name: str = "model") -> Model:
    """The Model that was given. Raises FeatvizError if it is none, with the adapter that makes one of it.

    >>> require_model("googlenet")
    Traceback (most recent call last):
    featviz.errors.FeatvizError: `model` is 'googlenet'; expected a Model, such as fv.load('googlenet') gives
    """
    if isinstance(given, Model):
        return given
    if isinstance(given, str):
        raise FeatvizError(f"`{name}` is {given!r}; expected a Model, such as fv.load({given!r}) gives")
    modules = [f"{base.__module__}." for base in type(given).__mro__]
    adapter = next((ADAPTERS[first] for first in ADAPTERS if any(each.startswith(first) for each in modules)), None)
    hint = f"fv.{adapter}(...) gives" if adapter else "fv.load(...) or an adapter such as fv.from_torch(...) gives"
    raise FeatvizError(f"`{name}` is a {type(given).__name__}; expected a Model, as {hint}")


def before_relu(layer: str) -> str:
    """The name of what goes into the ReLUs whose outputs a rectified layer gathers: its pre-activation.

    >>> before_relu("inception_4c")
    'inception_4c<before ReLU>'
    """
    return layer + BEFORE_RELU


def hash_architecture(model: Model, *, size: tuple[int, int] | None = None) -> str:
    """SHA-256 of a network's program as JAX writes it, with its activations' names, in hexadecimal.

    At images of `size`, by default that of the training. Weights do not matter, constants within the program do. The
    same for the same network in every process with one version of JAX.
    """
    leaves, structure = jax.tree.flatten(model.weights)
    weights = jax.tree.unflatten(structure, [jax.ShapeDtypeStruct(np.shape(leaf), leaf.dtype) for leaf in leaves])
    image = jax.ShapeDtypeStruct((1, *(model.input.size if size is None else size), model.input.channels), jnp.float32)
    closed, shape = jax.make_jaxpr(lambda w, images: model.apply(w, images), return_shape=True)(weights, image)
    total = hashlib.sha256(str(jax.tree.structure(shape)).encode())
    for text in _spell(closed):
        total.update(text.encode())
    return total.hexdigest()


def _spell(value: Any) -> Iterator[str]:
    """A program, or what parametrizes its steps, as texts: its values numbered in their order, arrays by their hashes.

    Not as JAX prints it: that depends on which programs within it are one object, and so on what was traced before.
    """
    if isinstance(value, core.ClosedJaxpr):
        yield f"consts {hash_weights(list(value.consts))};"
        yield from _spell(value.jaxpr)
    elif isinstance(value, core.Jaxpr):
        numbers = {var: number for number, var in enumerate((*value.constvars, *value.invars))}
        yield f"in {[str(var.aval) for var in numbers]};"
        for equation in value.eqns:
            yield f"{equation.primitive.name} {[_atom(atom, numbers) for atom in equation.invars]} "
            for name, parameter in sorted(equation.params.items()):
                yield f"{name}="
                yield from _spell(parameter)
            numbers |= {var: len(numbers) + at for at, var in enumerate(equation.outvars)}
            yield f"-> {[str(var.aval) for var in equation.outvars]};"
        yield f"out {[_atom(atom, numbers) for atom in value.outvars]};"
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _spell(each)
    elif isinstance(value, np.ndarray | jax.Array):
        yield hash_weights([value])
    else:
        # Functions print with their place in memory.
        yield type(value).__name__ if callable(value) else re.sub(r" at 0x[0-9a-f]+", "", str(value))


def _atom(atom: Any, numbers: Mapping[Any, int]) -> str:
    return hash_weights([atom.val]) if isinstance(atom, core.Literal) else str(numbers[atom])


def hash_weights(weights: Weights) -> str:
    """SHA-256 over the names, shapes, dtypes and bytes of all arrays of a tree, in hexadecimal.

    >>> hash_weights({"a": np.zeros(2, np.float32)})[:8]
    '5e602c76'
    """
    total = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(weights):
        array = np.asarray(leaf)
        total.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape};".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()
