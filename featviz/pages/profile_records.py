"""What pages show of a unit beside its strongest photographs: where it fires, with which others, to what effect."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from featviz.circuits.strongest_links import UnitLink
from featviz.pages.records import PhotoCrop


@dataclass(frozen=True)
class FiringPhoto:
    """A whole photograph as the network gets it, and where the unit fires: `heat` is 255 at its largest activation."""

    crop: PhotoCrop
    heat: UInt8[np.ndarray, "rows columns"]


@dataclass(frozen=True)
class OutputRecord:
    """An output that changes where a unit is held at a value, with the mean change on two halves of photographs."""

    index: int
    name: str
    change: float
    held_out_change: float


@dataclass(frozen=True)
class HeldUnitRecord:
    """What the outputs do when the unit is held at a value: stated on some of its photographs, verified on others.

    Attributes:
      value: what it is held at; 0 suppresses it.
      photos, held_out: how many photographs the changes are stated and verified on.
      outputs: those that change most on the first, the most changed first.
      flips, held_out_flips: the share of photographs whose largest output becomes another.
      agreement: the correlation of all outputs' mean changes between the halves; None if nothing changes.
    """

    value: float
    photos: int
    held_out: int
    outputs: tuple[OutputRecord, ...]
    flips: float
    held_out_flips: float
    agreement: float | None


@dataclass(frozen=True)
class ProfileRecord:
    """What photographs say of a unit beside their largest activations.

    Attributes:
      position_density: the share of positions at which the unit is above 0, or None for a layer without positions.
      position_photos: the photographs that this is measured on.
      active_mean: the mean of its maximum activation on the photographs on which it is above 0; None if on none.
      monosemanticity: whether the photographs that activate it are alike; None without another network's features.
      mean_similarity: the score of a unit that is equally active on all photographs.
      fired_on: whole photographs with a map of where it fires.
      co_active: the units that fire on the same photographs, with the Jaccard index.
      classes: of its strongest photographs: (class, how many), most first.
      class_photos: how many photographs that are.
      class_entropy: of these classes in bits; None without classes.
      class_source: "folders" or "the network".
      held: what the outputs do when it is suppressed, and when it is held at its largest activation; or ().
    """

    position_density: float | None
    position_photos: int
    active_mean: float | None
    monosemanticity: float | None = None
    mean_similarity: float | None = None
    fired_on: tuple[FiringPhoto, ...] = ()
    co_active: tuple[UnitLink, ...] = ()
    classes: tuple[tuple[str, int], ...] = ()
    class_photos: int = 0
    class_entropy: float | None = None
    class_source: str = ""
    held: tuple[HeldUnitRecord, ...] = ()
