"""What pages show: plain records of a network, its layers, units and pictures, apart from how they are laid out.

`atlas.site_data` makes them from an atlas, a network and a survey; `atlas.site` writes pages from nothing else.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Float32, Integer, UInt8

from featviz.ascent.outcome import Outcome
from featviz.circuits.strongest_links import UnitLink
from featviz.common.safe_names import distinct_names
from featviz.evaluation.class_scores import ClassScore

if TYPE_CHECKING:
    from featviz.pages.profile_records import ProfileRecord


class Role(enum.Enum):
    """What a picture shows of its unit."""

    MAIN = "main"  # the unit, from the atlas's seed
    SEED = "seed"  # the same from another seed, in atlases of earlier versions
    FACET = "facet"  # one of a group: of clusters of the unit's photographs, or optimized to differ
    NEGATIVE = "negative"  # minimizes the unit's pre-activation
    CENTER = "center"  # the neuron at the center of the map instead of the whole channel


@dataclass(frozen=True)
class PictureRecord:
    """A picture of a unit and how it was made.

    Attributes:
      role: what it shows of the unit.
      index: its index among the unit's pictures of this role, from 0.
      pixels: gray or RGB.
      score: the objective on the picture, without transforms.
      history: the objective at each step, on transformed views.
      clean_history: rows of (steps done, objective without transforms); empty if it is not known.
      key: the entry's content address in the atlas's store, 64 hexadecimal digits.
      command: the command that reproduces the picture, or None if no command does.
      share: the share of the unit's best photographs that a facet stands for; None if it is not known.
      of_photos: whether photographs have a part in the picture, as in facets of clusters of them.
      begun_at: the name of the photograph that the picture begins at; None if it begins from noise.
    """

    role: Role
    index: int
    pixels: UInt8[np.ndarray, "h w c"]
    score: float
    outcome: Outcome
    history: Float32[np.ndarray, " steps"]
    seed: int
    key: str
    command: str | None
    clean_history: Float32[np.ndarray, "looks 2"] = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    share: float | None = None
    of_photos: bool = False
    begun_at: str | None = None


@dataclass(frozen=True)
class PhotoCrop:
    """A photograph of one activation interval, cut to the unit's receptive field.

    Attributes:
      percentile: the activation interval, 100 for the largest activations and 0 for the smallest.
      activation: the unit's maximum activation on the photograph.
      photo: the photograph's name.
      pixels: the receptive field.
      href: the `file://` address of the whole photograph, or None.
      photo_size: the photograph's (width, height) in pixels, upright, or None.
      box: the receptive field in the photograph, (left, top, right, bottom) in pixels, or None; it may be fractional
        and reach beyond the photograph.
    """

    percentile: int
    activation: float
    photo: str
    pixels: UInt8[np.ndarray, "h w c"]
    href: str | None
    photo_size: tuple[int, int] | None
    box: tuple[float, float, float, float] | None


@dataclass(frozen=True)
class EvidenceFigure:
    """One figure of the evidence as it is printed.

    `name` is like "E1 predicts", `comparison` what to compare the value with, `meaning` a sentence for a tooltip.
    """

    name: str
    value: str
    comparison: str
    meaning: str


@dataclass(frozen=True)
class SurveyRecord:
    """A unit's activations on a survey's photographs, and the evidence drawn from them.

    Attributes:
      count: photographs surveyed.
      mean, std: of the unit's maximum activation per photograph.
      active_fraction: fraction of the photographs on which that maximum is above 0.
      edges, counts: the histogram of the maximum activations.
      picture_activation: the main picture's activation on the same scale.
      examples: photographs of several activation intervals.
      figures: the evidence; empty if none was computed.
      trusted: the flag; None if no evidence was computed or it is inconclusive.
      verdict: the flag in words.
      profile: density, where it fires, neighbors, classes and effects; None if it was not computed.
    """

    count: int
    mean: float
    std: float
    active_fraction: float
    edges: Float[np.ndarray, " bins+1"]
    counts: Integer[np.ndarray, " bins"]
    picture_activation: float
    examples: tuple[PhotoCrop, ...]
    figures: tuple[EvidenceFigure, ...] = ()
    trusted: bool | None = None
    verdict: str = ""
    profile: "ProfileRecord | None" = None


@dataclass(frozen=True)
class UnitRecord:
    """Everything on a unit's page.

    Attributes:
      label: the name of the class that the unit stands for, or "".
      pictures: the main picture first; never empty.
      faults: what is wrong with the main picture: "dead", "never rises", "gray", "not finite".
      one_step_inputs, one_step_outputs: those by a single set of weights, where the nearest layers of the atlas are
        further away.
      provenance: the main picture's, plain JSON values.
      latent: whether it is a dictionary's latent; similar ones are then those with the most similar decoder rows.
    """

    layer: str
    unit: int
    label: str
    pictures: tuple[PictureRecord, ...]
    faults: tuple[str, ...] = ()
    inputs: tuple[UnitLink, ...] = ()
    outputs: tuple[UnitLink, ...] = ()
    similar: tuple[UnitLink, ...] = ()
    one_step_inputs: tuple[UnitLink, ...] = ()
    one_step_outputs: tuple[UnitLink, ...] = ()
    classes: tuple[ClassScore, ...] = ()
    survey: SurveyRecord | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    latent: bool = False


@dataclass(frozen=True)
class UnitSummary:
    """A unit as its layer's page lists it; the score and the outcome are those of the main picture."""

    unit: int
    label: str
    score: float
    outcome: Outcome
    faults: tuple[str, ...]
    trusted: bool | None = None


@dataclass(frozen=True)
class LayerRecord:
    """A layer: its shape, how many of its units are planned and rendered, and the layers it directly depends on."""

    name: str
    shape: tuple[int, ...]
    units: int
    planned: int
    done: int
    parents: tuple[str, ...] = ()


@dataclass(frozen=True)
class NetworkRecord:
    """What the front page says: `facts` are lines of label and value such as recipe, size, weights.

    `complete` is True once all planned pictures are rendered, `surveyed` if there is a survey of photographs.
    `picture_width` is that of the pictures in pixels, None where there are none.
    """

    name: str
    layers: tuple[LayerRecord, ...]
    facts: Mapping[str, str]
    command: str | None
    complete: bool
    surveyed: bool
    picture_width: int | None = None

    @cached_property
    def _distinct_names(self) -> dict[str, str]:
        return distinct_names(layer.name for layer in self.layers)

    def address_name(self, layer: str) -> str:
        """The name of a layer in addresses, which no other layer's differs from in case alone."""
        return self._distinct_names.get(layer, layer)
