"""`Dictionary`: a layer's activations in another basis, whose latents are units like any others."""

from dataclasses import dataclass, field, fields, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from numpy.typing import ArrayLike

from featviz.dictionaries.kinds.base import STATIC, Code, Inputs, Latents, Values, add_last, product
from featviz.dictionaries.normalizations import Identity, Normalization
from featviz.errors import FeatvizError
from featviz.objectives.vectors import scale_by_cosine


@dataclass(frozen=True)
class DictionaryRecord:
    """What a dictionary was fitted on, as far as its file says.

    Args:
      model: the network's name.
      layer: the layer whose activations it takes, as its file names it.
      format: of the file that it was read from.
      weights_sha256: `fv.model.hash_weights` of the network's weights.
      names: of the latents, for concepts that have some; or ().
      file: that it was read from, as the command line names it; "" where it lies in none.
      notes: anything else, such as the photos, the steps and the figures of a report, as names and texts.
    """

    model: str = ""
    layer: str = ""
    format: str = "featviz"
    weights_sha256: str = ""
    names: tuple[str, ...] = ()
    file: str = ""
    notes: tuple[tuple[str, str], ...] = ()


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class Dictionary:
    """A dictionary of a layer's activations: a pytree of the arrays of its code and its normalization.

    `fv.load_dictionary` reads one of a file, `model.with_dictionary(layer, dictionary)` makes its latents units.
    Activations have any number of axes; units, and likewise latents, lie on the last.

    Attributes:
      code: the kind, with its arrays (`dictionaries/kinds/`).
      normalization: what is done to activations before.
      record: what it was fitted on.

    >>> from featviz.dictionaries.kinds import KMeans
    >>> centers = Dictionary(KMeans(centers=np.eye(2, 3, dtype=np.float32)))
    >>> centers, centers.encode(np.array([0.0, 2.0, 0.0])).tolist()
    (<Dictionary k-means centers, 3 units, 2 latents>, [0.0, 1.0])
    """

    code: Code
    normalization: Normalization = field(default_factory=Identity)
    record: DictionaryRecord = field(default_factory=DictionaryRecord, metadata=STATIC)

    def __repr__(self) -> str:
        kind = ", ".join(filter(None, (self.code.title, self.code.summary)))
        return f"<Dictionary {kind}, {self.units} units, {self.latents} latents>"

    def _repr_html_(self) -> str:
        from featviz.dictionaries.dictionary_html import dictionary_html

        return dictionary_html(self)

    @property
    def units(self) -> int:
        """The width of the activations that it takes."""
        return self.code.units

    @property
    def latents(self) -> int:
        """The number of its latents."""
        return self.code.latents

    @property
    def rectified(self) -> bool:
        """Whether the smallest value of a latent is 0, which stands for its absence."""
        return self.code.rectified

    @property
    def file(self) -> str:
        """The file that it was read from, as the command line names it; "" where it lies in none."""
        return self.record.file

    @property
    def directions(self) -> Float[Values, "latents units"]:
        """What one of each latent adds to the reconstruction of a normalized activation: the decoder's rows."""
        return self.code.directions

    def pre_activation(self, activations: ArrayLike) -> Latents:
        """The latents before TopK, threshold or constraint.

        Args:
          activations: (*positions, units), a layer's as `fv.observe` gives them.

        Returns:
          (*positions, latents), float32.
        """
        return self.code.pre_activation(self._normalize(activations))

    def along_decoder(self, activations: ArrayLike) -> Latents:
        """h d / |d| * max(.1, cosine(h, d)), of each latent's row d of the decoder: what pictures maximize.

        Args:
          activations: h, (*positions, units), a layer's as `fv.observe` gives them.

        Returns:
          (*positions, latents), float32.

        >>> from featviz.dictionaries.kinds import KMeans
        >>> centers = Dictionary(KMeans(centers=np.array([[0.0, 2.0], [1.0, 1.0]], np.float32)))
        >>> np.asarray(centers.along_decoder(np.array([0.0, 3.0]))).round(3).astype(float).tolist()
        [3.0, 1.5]
        """
        h = jnp.asarray(activations, jnp.float32)
        rows = jnp.asarray(self.normalization.undo_rows(self.directions), jnp.float32)
        # The gradient of the square root is infinite at 0.
        rows /= jnp.sqrt(jnp.sum(jnp.square(rows), axis=-1, keepdims=True) + 1e-12)
        norms = jnp.sqrt(jnp.sum(jnp.square(h), axis=-1, keepdims=True) + 1e-12)
        return scale_by_cosine(product(h, rows.T), norms, 1.0)

    def encode(self, activations: ArrayLike) -> Latents:
        """The latents.

        Args:
          activations: (*positions, units).

        Returns:
          (*positions, latents), float32.
        """
        return self.code.encode(self._normalize(activations))

    def survives(self, activations: ArrayLike) -> Bool[Array, "*positions latents"]:
        """Where each latent passes what makes latents sparse: TopK, a threshold, a gate, a constraint.

        A signed TopK, and one by magnitude, keep negative latents too: all that is not 0 is left.
        """
        if not self.rectified:
            shape = (*np.shape(activations)[:-1], self.latents)
            return jnp.ones(shape, bool)
        return self.encode(activations) != 0

    def decode(self, latents: ArrayLike, *, like: ArrayLike | None = None) -> Inputs:
        """The activations that latents stand for.

        Args:
          latents: (*positions, latents).
          like: (*positions, units), the activations that were encoded. Needed where each position has its own scale
            (`layer_norm`, `constant_norm`): the latents do not hold it.

        Raises:
          FeatvizError: if `like` is needed and missing.
        """
        if like is None and self.normalization.own_scale:
            raise FeatvizError(
                f"`like` is missing; expected the activations that were encoded, since {self.normalization.summary} "
                "takes its scale from them"
            )
        given = None if like is None else jnp.asarray(like, jnp.float32)
        return self.normalization.undo(self.code.decode(jnp.asarray(latents, jnp.float32)), given)

    def one_of(self, latent: int | Int[Array, ""], *, like: ArrayLike) -> Inputs:
        """What one of a latent adds to activations when it is decoded, at the scale of each position.

        Args:
          latent: its index.
          like: (*positions, units), the activations.

        Returns:
          (*positions, units).

        >>> from featviz.dictionaries.kinds import KMeans
        >>> centers = Dictionary(KMeans(centers=np.array([[0.0, 2.0], [1.0, 1.0]], np.float32)))
        >>> centers.one_of(0, like=np.zeros((1, 2))).tolist()
        [[0.0, 2.0]]
        """
        given = jnp.asarray(like, jnp.float32)
        row = add_last(jnp.zeros_like(given), self.code.added(latent))
        return self.normalization.undo(row, given) - self.normalization.undo(jnp.zeros_like(given), given)

    def reconstruct(self, activations: ArrayLike) -> Inputs:
        """What is left of activations after they are encoded and decoded."""
        return self.decode(self.encode(activations), like=activations)

    def without_record(self) -> "Dictionary":
        """The same without what it was fitted on: equal dictionaries have one compiled program."""
        return replace(self, record=DictionaryRecord())

    def check(self) -> "Dictionary":
        """The dictionary itself, if its arrays and numbers fit together and are finite.

        Not done where it is made, since JAX makes dictionaries of tracers and of shapes.

        Raises:
          FeatvizError: if a shape is another than those of the others, a number is not finite, or k is above the number
            of latents.
        """
        _check_arrays(self.code, self.code.shapes(self.units, self.latents))
        _check_arrays(self.normalization, self.normalization.shapes(self.units))
        if self.record.names and len(self.record.names) != self.latents:
            raise FeatvizError(f"`names` has {len(self.record.names)} names; the dictionary has {self.latents} latents")
        return self

    def _normalize(self, activations: ArrayLike) -> Inputs:
        found = jnp.asarray(activations, jnp.float32)
        if found.ndim == 0 or found.shape[-1] != self.units:
            width = f"{found.shape[-1]} units" if found.ndim else "no axis of units"
            raise FeatvizError(f"`activations` have {width}; the dictionary takes {self.units}")
        return self.normalization.apply(found)


def _check_arrays(part: Code | Normalization, shapes: dict[str, tuple[int, ...]]) -> None:
    for entry in fields(part):  # type: ignore[arg-type]
        value = getattr(part, entry.name)
        if isinstance(value, Code):
            _check_arrays(value, value.shapes(value.units, value.latents))
        elif not entry.metadata.get("static"):
            if np.shape(value) != shapes[entry.name]:
                raise FeatvizError(
                    f"`{entry.name}` of the dictionary has shape {np.shape(value)}; expected {shapes[entry.name]}"
                )
            if not np.isfinite(np.asarray(value)).all():
                raise FeatvizError(f"`{entry.name}` of the dictionary has values that are not finite")
    part.check_values()
