"""What an evidence figure is: its name, formula and meaning, the quantities it yields, and how it is printed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class PathArrays(NamedTuple):
    """One layer's activations, pooled where the unit looks; a row is an image."""

    pictures: Float[np.ndarray, "pictures units"]
    top_photos: Float[np.ndarray, "top_photos units"]
    other_photos: Float[np.ndarray, "other_photos units"]


@dataclass(frozen=True)
class UnitArrays:
    """The arrays that all figures of one unit u are functions of.

    a_v(x) is unit v's largest activation on x over interior positions and phi(x) another network's features of x. The
    photographs of the survey are split in halves A and B. Several pictures of one unit are evaluated together.

    Attributes:
      unit: the index of u in its layer.
      activations: a_v of each picture, for all units v of the layer.
      layer_mean, layer_sd: mean and standard deviation of a_v over A.
      activations_a, activations_b: a_u of each photograph of A and of B.
      baseline: the activation of u that counts as none: 0 for a rectified unit, else its mean over A.
      corrupted_pictures, corrupted_photos: a_u of each picture, and of each of the top photographs of A, as it is
        (first column) and under each corruption.
      picture_crops: phi of the receptive field of each picture.
      other_crops: the same of other units' pictures, an array a unit.
      high_crops, next_high_crops, low_crops: phi of receptive fields in photographs of the top, second and bottom
        decile of B.
      top_crops: phi of receptive fields in the top photographs of A.
      pictures: phi of each whole picture.
      photos_a, photos_b: phi of each whole photograph of A and of B.
      paths_below: the activations of the layers that the layer of u is computed from, one entry a layer.
      path_own: those of the layer of u itself, without u.
    """

    unit: int
    activations: Float[np.ndarray, "pictures units"]
    layer_mean: Float[np.ndarray, " units"]
    layer_sd: Float[np.ndarray, " units"]
    activations_a: Float[np.ndarray, " photos_a"]
    activations_b: Float[np.ndarray, " photos_b"]
    baseline: float
    corrupted_pictures: Float[np.ndarray, "pictures versions"]
    corrupted_photos: Float[np.ndarray, "top_photos versions"]
    picture_crops: Float[np.ndarray, "pictures features"]
    other_crops: tuple[Float[np.ndarray, "_ features"], ...]
    high_crops: Float[np.ndarray, "high features"]
    next_high_crops: Float[np.ndarray, "next_high features"]
    low_crops: Float[np.ndarray, "low features"]
    top_crops: Float[np.ndarray, "top_photos features"]
    pictures: Float[np.ndarray, "pictures features"]
    photos_a: Float[np.ndarray, "photos_a features"]
    photos_b: Float[np.ndarray, "photos_b features"]
    paths_below: tuple[PathArrays, ...]
    path_own: PathArrays


def as_share(value: float) -> str:
    """A share or another value near 1, with two decimals.

    >>> as_share(0.714), as_share(1.5), as_share(-0.25), as_share(float("nan"))
    ('.71', '1.50', '-0.25', '-')
    """
    return "-" if np.isnan(value) else f"{value:.2f}".replace("0.", ".") if 0 <= value < 1 else f"{value:.2f}"


def as_integer(value: float) -> str:
    """A rank or a percentile.

    >>> as_integer(97.3), as_integer(float("nan"))
    ('97', '-')
    """
    return "-" if np.isnan(value) else f"{value:.0f}"


def as_deviations(value: float) -> str:
    """A number of standard deviations, with three digits.

    >>> as_deviations(12.345), as_deviations(float("nan"))
    ('12.3', '-')
    """
    return "-" if np.isnan(value) else f"{value:.3g}"


@dataclass(frozen=True)
class Quantity:
    """One number that a figure yields: a column of the table, of the JSON file and of `Evidence.column`.

    Attributes:
      name: in JSON and for `Evidence.column`, such as "prediction".
      minimum, maximum: the range; a quantity without meaning for a unit is nan.
      printed: the number as text.
      header: of its column in the table; "" for a quantity that the table omits.
    """

    name: str
    minimum: float
    maximum: float
    printed: Callable[[float], str]
    header: str = ""

    @property
    def range(self) -> str:
        """The range in words.

        >>> Quantity("share", 0, 1, as_share).range, Quantity("rank", 1, np.inf, as_integer).range
        ('0 to 1', 'at least 1')
        """
        if np.isfinite(self.maximum):
            return f"{self.minimum:g} to {self.maximum:g}"
        return f"at least {self.minimum:g}" if np.isfinite(self.minimum) else "any number"


@dataclass(frozen=True)
class EvidenceFigure:
    """One figure of the evidence, E0, E1 and so on.

    Attributes:
      name: "E1".
      title: one word or two for what it measures, such as "prediction".
      formula: the quantities as formulas, in the notation of `UnitArrays`.
      meaning: one sentence for someone who meets the figure for the first time, with what is good.
      quantities: the numbers that it yields.
      compute: the numbers, in the order of `quantities`; a pure function of the arrays.
      value: how the figure is printed: text with the names of quantities in braces.
      beside: what to compare that with, printed beside it, likewise.
    """

    name: str
    title: str
    formula: str
    meaning: str
    quantities: tuple[Quantity, ...]
    compute: Callable[[UnitArrays], tuple[float, ...]]
    value: str
    beside: str = ""

    @property
    def heading(self) -> str:
        """Name and title, such as "E1 prediction"."""
        return f"{self.name} {self.title}"

    def printed(self, values: Mapping[str, float]) -> tuple[str, str]:
        """The figure's value and what to compare it with, as text.

        Args:
          values: quantity name -> number.
        """
        texts = {quantity.name: quantity.printed(values[quantity.name]) for quantity in self.quantities}
        return self.value.format_map(texts), self.beside.format_map(texts)
