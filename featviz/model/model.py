"""`Model`, the one kind of network that featviz knows: a function from weights and images to named activations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from jaxtyping import Array, Float

from featviz.common.placement import gather
from featviz.errors import FeatvizError, join_or, nearest_choices, suggest
from featviz.model.input_spec import InputSpec

# Names that no layer can have: the adapters' names hold no angle brackets.
IMAGE = "<image>"
OUTPUT = "<output>"
# Follows the name of a rectified layer to name its pre-activation.
BEFORE_RELU = "<before ReLU>"

# By layer: (n, height, width, channels), (n, tokens, channels) or (n, units). Units lie on the last axis.
Activations = Mapping[str, Float[Array, "n *positions units"]]
# A pytree of arrays, of whatever structure the network's framework gives it.
Weights = Any


class Apply(Protocol):
    """A network as a pure function of its weights and of images in [0,1]; hashable, since it is static under `jit`."""

    def __call__(
        self, weights: Weights, images: Float[Array, "n h w c"], *, layers: Sequence[str] | None = None
    ) -> dict[str, Float[Array, "n *positions units"]]:
        """The activations of `layers`, or of all layers, and `IMAGE`; nothing else is computed.

        `OUTPUT` and `before_relu(layer)` may be among `layers`.
        """
        ...

    def __hash__(self) -> int: ...


@dataclass(frozen=True)
class Layer:
    """One named activation of a network.

    Attributes:
        name: Its name, as the network's framework names the module or operation.
        shape: Its shape for one image of the training size, without the batch; units lie on the last axis.
        parents: The nearest named layers that it is computed from.
        rectified: Whether it comes out of ReLUs. The smallest value of such a layer, 0, is that of every gray image.
    """

    name: str
    shape: tuple[int, ...]
    parents: tuple[str, ...] = ()
    rectified: bool = False

    @property
    def units(self) -> int:
        """The number of its units, which is the size of the last axis."""
        return self.shape[-1]


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A trained network whose activations have names.

    `fv.load` makes one of a network of the zoo, `fv.from_torch`, `from_keras`, `from_linen`, `from_nnx`,
    `from_equinox`, `from_onnx` and `from_function` of your own.

    Attributes:
        name: What messages and captions call the network.
        apply: The network, `apply(weights, images, layers=...)`; see `Apply`.
        weights: A pytree of arrays. Always an argument of `apply`, so that no compiled program holds them.
        layers: The layers in forward order.
        input: How the network takes its images.
        relus: How many ReLUs its program has.
        classes: The names of its outputs, synonyms separated by commas, or () where they are unknown.
        source: Where it comes from, as pictures record it: `model`, and `weights`, `input` and `fixed`
            where they were given.
        absent: Names of what its modules compute that is no layer, each with the reason.
    """

    name: str
    apply: Apply
    weights: Weights
    layers: tuple[Layer, ...]
    input: InputSpec
    relus: int = 0
    classes: tuple[str, ...] = ()
    source: Mapping[str, str] = field(default_factory=dict)
    absent: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        # Layers that lie on several devices cannot run in one program.
        object.__setattr__(self, "weights", gather(self.weights))

    def __repr__(self) -> str:
        count = len(self.layers)
        size = " x ".join(str(side) for side in (*self.input.size, self.input.channels))
        return f"<Model {self.name}, {count} layer{'s' * (count != 1)}, {size}>"

    def layer(self, name: str) -> Layer:
        """The layer of that name.

        Raises:
            FeatvizError: If there is none; the message has the nearest name.
        """
        for layer in self.layers:
            if layer.name == name:
                return layer
        names = [layer.name for layer in self.layers]
        raise FeatvizError(f"{self.name} has no layer `{name}`; {suggest(name, names)}")

    def class_index(self, name: str) -> int:
        """The index of the output that stands for a class.

        Args:
            name: The class's name, or one of its synonyms; case does not matter.

        Raises:
            FeatvizError: If the network's classes have no names, or if no class or several classes have this one.
        """
        if not self.classes:
            raise FeatvizError(f"the classes of {self.name} have no names; expected an index")
        wanted = name.strip().casefold()
        folded = [names.casefold() for names in self.classes]
        if folded.count(wanted) == 1:
            return folded.index(wanted)
        matches = [
            index for index, names in enumerate(folded) if wanted in (synonym.strip() for synonym in names.split(","))
        ]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise FeatvizError(f"`{name}` is the name of classes {', '.join(map(str, matches))}; expected an index")
        raise FeatvizError(f"{self.name} has no class `{name}`; {self._likely_classes(name)}")

    def _likely_classes(self, name: str) -> str:
        # Shown by index: a full name may have commas, and a synonym may belong to several classes.
        synonyms: dict[str, list[int]] = {}
        for index, names in enumerate(self.classes):
            for synonym in (names, *names.split(",")):
                synonyms.setdefault(synonym.strip(), []).append(index)
        meant = dict.fromkeys(index for synonym in nearest_choices(name, synonyms) for index in synonyms[synonym])
        if meant:
            return f"did you mean {join_or([f'{index} (`{self.classes[index]}`)' for index in meant])}?"
        last = len(self.classes) - 1
        return f"expected a name such as `{self.classes[0]}`, or an index, 0 to {last}"


def before_relu(layer: str) -> str:
    """The name of a rectified layer's pre-activation: its values with the last ReLU left out.

    Args:
        layer: The name of a layer whose values come out of ReLUs, also where it only gathers their outputs.

    >>> before_relu("inception_4c")
    'inception_4c<before ReLU>'
    """
    return layer + BEFORE_RELU
