"""A dictionary's latents as a layer of a network: a Model whose program encodes one layer's activations."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from featviz.common.spelling import Identified, UnspelledError, spell
from featviz.errors import FeatvizError
from featviz.model.editable import Editable, add_edits
from featviz.model.edits import Edit, Selection

if TYPE_CHECKING:
    from featviz.model.model import Apply, Model, Weights

# Follows the name of the layer that a dictionary encodes.
LATENTS = "/latents"


@runtime_checkable
class Basis(Protocol):
    """What a layer of latents needs of a dictionary: `featviz.dictionaries.Dictionary` is one."""

    @property
    def units(self) -> int:
        """The width of the activations that it takes."""
        ...

    @property
    def latents(self) -> int:
        """The number of its latents."""
        ...

    @property
    def rectified(self) -> bool:
        """Whether the smallest value of a latent is 0."""
        ...

    @property
    def file(self) -> str:
        """The file that it was read from, or ""."""
        ...

    def encode(self, activations: Any, /) -> Array:
        """The latents."""
        ...

    def pre_activation(self, activations: Any, /) -> Array:
        """The latents before what makes them sparse."""
        ...

    def along_decoder(self, activations: Any, /) -> Array:
        """How far activations point along each latent's row of the decoder."""
        ...

    def decode(self, latents: Any, /, *, like: Any = None) -> Array:
        """The activations that latents stand for."""
        ...

    def one_of(self, latent: Any, /, *, like: Any) -> Array:
        """What one of a latent adds to each position of activations."""
        ...

    def without_record(self) -> "Basis":
        """The same without what does not decide its latents."""
        ...


class LatentWeights(NamedTuple):
    """The weights of a network with a layer of latents: its own, and the dictionary."""

    network: Any
    dictionary: Basis


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LatentEdit(Edit):
    """An edit of a layer by way of its latents: h + decode(edited latents) - decode(latents).

    What the dictionary cannot reconstruct stays as it is.
    """

    dictionary: Basis
    edits: tuple[Edit, ...]

    def new(self, h: Float[Array, "n *positions units"]) -> Float[Array, "n *positions units"]:
        latents = edited = self.dictionary.encode(h)
        for edit in self.edits:
            edited = edit(edited)
        return h + self.dictionary.decode(edited, like=h) - self.dictionary.decode(latents, like=h)


@dataclass(frozen=True, eq=False)
class LatentApply(Identified, Editable):
    """A network's `Model.apply`, with one layer's latents among its activations.

    Attributes:
        base: The network's own.
        layer: The layer that the dictionary encodes.
        name: What the layer of latents is called.
        edited: The layers that it edits; if there are any, its weights are `EditedWeights` with edits of these.
    """

    base: "Apply"
    layer: str
    name: str
    edited: tuple[str, ...] = ()
    _editing: dict[tuple[str, ...], "LatentApply"] = field(default_factory=dict, repr=False)

    def __call__(
        self, weights: "Weights", images: Float[Array, "n h w c"], *, layers: Sequence[str] | None = None
    ) -> dict[str, Float[Array, "n ..."]]:
        """See `Apply`. `before_relu(name)` is the pre-activation, `along_decoder(name)` what pictures maximize."""
        from featviz.model.model import along_decoder, before_relu

        before, along = before_relu(self.name), along_decoder(self.name)
        names = (self.name, before, along)
        wanted = (self.name,) if layers is None else tuple(layer for layer in layers if layer in names)
        network = None
        if layers is not None:
            own = [layer for layer in layers if layer not in names]
            network = tuple(dict.fromkeys([*own, self.layer] if wanted else own))
        plain, edits = (weights.network, weights.edits) if self.edited else (weights, {})
        # Where the network runs in bfloat16 the dictionary computes in single precision all the same.
        dictionary = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), plain.dictionary)
        plain, own_edits = plain._replace(dictionary=dictionary), edits.get(self.name, ())
        base, base_weights = self._base(plain, edits)
        activations = dict(base(base_weights, images, layers=network))
        encoded: Any = activations.get(self.layer)
        if own_edits and wanted:
            # The latents are of the layer as it was before they were edited.
            rest = {layer: each for layer, each in edits.items() if layer != self.name}
            base, base_weights = self._base(plain, rest)
            encoded = base(base_weights, images, layers=(self.layer,))[self.layer]
        for layer in dict.fromkeys(wanted):
            read = {self.name: dictionary.encode, before: dictionary.pre_activation, along: dictionary.along_decoder}
            activations[layer] = read[layer](encoded)
            for edit in own_edits if layer == self.name else ():
                activations[layer] = edit(activations[layer])
        if layers is not None and wanted and self.layer not in layers:
            del activations[self.layer]
        return activations

    def _base(self, weights: LatentWeights, edits: Mapping[str, tuple[Edit, ...]]) -> tuple["Apply", "Weights"]:
        """The network's own function and weights, with edits of its layers and of the latents."""
        if not edits:
            return self.base, weights.network
        assert isinstance(self.base, Editable)
        added = {layer: each for layer, each in edits.items() if layer != self.name}
        if self.name in edits:
            by_latents = LatentEdit(Selection(), weights.dictionary, edits[self.name])
            added[self.layer] = (*added.get(self.layer, ()), by_latents)
        return add_edits(self.base, weights.network, added)

    def with_edits(self, layers: tuple[str, ...]) -> "LatentApply":
        """See `Editable`. Edits of the layer that the dictionary encodes come before those of its latents."""
        if layers == self.edited:
            return self
        if layers not in self._editing:
            self._editing[layers] = replace(self, edited=layers)
        return self._editing[layers]

    def rectified_layers(self, weights: "Weights") -> frozenset[str]:
        """See `Editable`."""
        plain, edits = (weights.network, weights.edits) if self.edited else (weights, {})
        base, base_weights = self._base(plain, edits)
        assert isinstance(base, Editable)
        own = {self.name} if plain.dictionary.rectified and self.name not in edits else set()
        return base.rectified_layers(base_weights) | own

    def identity(self) -> str:
        """See `Identified`: the network's, and where the latents are; the dictionary is among the arguments."""
        if not isinstance(self.base, Identified):
            raise UnspelledError(self.name)
        return f"{self.base.identity()} {spell((self.layer, self.name, *self.edited), [])}"

    def observed(self) -> Any:
        """See `Identified`."""
        return self.base.observed() if isinstance(self.base, Identified) else None

    def repeats(self, observed: Any) -> bool:
        """See `Identified`."""
        return isinstance(self.base, Identified) and self.base.repeats(observed)


def add_latents(model: "Model", layer: str, dictionary: Basis, *, name: str | None = None) -> "Model":
    """`Model.with_dictionary`.

    Raises:
        FeatvizError: As there.
    """
    from featviz.model.model import Layer

    if not isinstance(dictionary, Basis):
        raise FeatvizError(
            f"`dictionary` is a {type(dictionary).__name__}; expected a Dictionary, such as "
            "fv.load_dictionary(...) gives"
        )
    encoded = model.layer(layer)
    if encoded.units != dictionary.units:
        raise FeatvizError(
            f"`dictionary` takes {dictionary.units} units; {layer} of {model.name} has {encoded.units}"
            f"{_layers_of_width(model, dictionary.units)}"
        )
    name = layer + LATENTS if name is None else name
    if any(known.name == name for known in model.layers):
        raise FeatvizError(f"`name` is `{name}`, a layer that {model.name} has; expected another `name`")
    latents = Layer(
        name, (*encoded.shape[:-1], dictionary.latents), (layer,), rectified=dictionary.rectified, latents=True
    )
    # Not last: the last layer of a network is its output.
    index = min(model.layers.index(encoded) + 1, max(len(model.layers) - 1, 0))
    source = dict(model.source)
    if dictionary.file:
        source["dictionary"] = shlex.join([*shlex.split(source.get("dictionary", "")), f"{layer}={dictionary.file}"])
    else:
        # No command line names a dictionary that lies in no file.
        source.pop("model", None)
    return replace(
        model,
        apply=LatentApply(model.apply, layer, name),
        weights=LatentWeights(model.weights, dictionary.without_record()),
        layers=(*model.layers[:index], latents, *model.layers[index:]),
        source=source,
    )


def _layers_of_width(model: "Model", units: int) -> str:
    names = [layer.name for layer in model.layers if layer.units == units and not layer.latents]
    shown = ", ".join(f"`{name}`" for name in names[:4]) + (", ..." if len(names) > 4 else "")
    return f"; layers of {units} units: {shown}" if names else f"; no layer of {model.name} has {units}"
