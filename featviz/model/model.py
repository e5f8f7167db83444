"""`Model`, the one kind of network that featviz knows: a function from weights and images to named activations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from jaxtyping import Array, Float

from featviz.common.arguments import is_sequence
from featviz.common.placement import gather
from featviz.errors import FeatvizError, join_or, nearest_choices, suggest
from featviz.model.editable import Editable, add_edits
from featviz.model.edits import Edit
from featviz.model.input_spec import InputSpec

if TYPE_CHECKING:
    from featviz.model.latent_layer import Basis

# Names that no layer can have: the adapters' names hold no angle brackets.
IMAGE = "<image>"
OUTPUT = "<output>"
# Follows the name of a rectified layer to name its pre-activation.
BEFORE_RELU = "<before ReLU>"
ALONG_DECODER = "<along the decoder>"

# Follows the name of an edited network.
EDITED = ", edited"

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
        latents: Whether its units are a dictionary's latents. Pictures maximize their pre-activation.
    """

    name: str
    shape: tuple[int, ...]
    parents: tuple[str, ...] = ()
    rectified: bool = False
    latents: bool = False

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

    def edited(self, edits: Mapping[str, Edit | Sequence[Edit]]) -> "Model":
        """The network changed at some layers; all that follows them sees the change.

        The result is a Model like any other: it renders, is surveyed, dreams. The numbers of an edit are among its
        weights, so the compiled programs of one edit serve every unit, value and strength of its kind.

        Args:
            edits: By layer, an edit such as `fv.ablate([103])`, or several in the order in which they apply. Those of
                an edited network come after its own.

        Raises:
            FeatvizError: If the network has no such layer, the layer no such unit or position, or if the network is a
                plain function of the user's own, whose layers cannot be reached.

        >>> import featviz as fv
        >>> fv.load("patterns").edited({"mixed4a": fv.ablate([3])}).name
        'patterns, edited'
        """
        if not isinstance(self.apply, Editable):
            raise FeatvizError(f"{self.name} cannot be edited; expected a network that an adapter of featviz made")
        fitted: dict[str, list[Edit]] = {}
        for name, given in edits.items():
            layer = self.layer(name)
            added = tuple(given) if is_sequence(given) else (given,)
            for edit in added:
                if not isinstance(edit, Edit):
                    raise FeatvizError(f"`edits` has {edit!r} for {name}; expected edits, such as fv.ablate([3])")
            fitted[name] = [edit.fitted(name, layer.shape) for edit in added]
        apply, weights = add_edits(self.apply, self.weights, fitted)
        if not weights.edits:
            return self
        rectified = apply.rectified_layers(weights)
        # Of edits in Python no command line is known; `--edit` adds its own.
        source = {key: value for key, value in self.source.items() if key != "model"}
        return replace(
            self,
            name=self.name if self.name.endswith(EDITED) else self.name + EDITED,
            apply=apply,
            weights=weights,
            layers=tuple(replace(layer, rectified=layer.name in rectified) for layer in self.layers),
            source=source,
        )

    def with_dictionary(self, layer: str, dictionary: "Basis", *, name: str | None = None) -> "Model":
        """The network with a layer `LAYER/latents`, the latents of one of its layers.

        Pictures of latents maximize their pre-activation, since behind a TopK or a threshold most images have no
        gradient; their record says at which share of the positions the latent survives. Surveys and figures are of
        the latents themselves.

        Args:
            layer: The layer whose activations the dictionary takes.
            dictionary: The dictionary, such as `fv.load_dictionary` gives.
            name: What the layer of latents is called, for a second dictionary of one layer.

        Raises:
            FeatvizError: For an unknown layer, one of another width, or a name that another layer has.

        >>> import featviz as fv, numpy as np
        >>> from featviz.dictionaries.kinds import KMeans
        >>> centers = fv.Dictionary(KMeans(centers=np.eye(5, 20, dtype=np.float32)))
        >>> fv.load("patterns").with_dictionary("conv1", centers).layer("conv1/latents").shape
        (32, 32, 5)
        """
        from featviz.model.latent_layer import add_latents

        return add_latents(self, layer, dictionary, name=name)

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


def along_decoder(layer: str) -> str:
    """The name of what a picture of a latent maximizes: the layer's projection on the decoder's rows, by the angle.

    h d / |d| * max(.1, cosine(h, d)) for each position's activation h and each latent's row d of the decoder.

    Args:
        layer: The name of a layer of a dictionary's latents.

    >>> along_decoder("inception_4c/latents")
    'inception_4c/latents<along the decoder>'
    """
    return layer + ALONG_DECODER
