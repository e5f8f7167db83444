"""What is shown of an atlas: plain records of its network, layers, units and pictures, apart from how they are drawn.

`gathering` makes them of a store, a network and a survey; `site` draws them, and knows of nothing else.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from featviz.ascent.outcome import Outcome


class Role(enum.Enum):
    """What a picture shows of its unit."""

    MAIN = "main"  # the unit, with the atlas's own seed
    SEED = "seed"  # the same with another seed
    FACET = "facet"  # one of a group of unlike pictures
    NEGATIVE = "negative"  # what the unit is least active for, before its ReLU
    CENTER = "center"  # the neuron at the middle in place of the whole channel


@dataclass(frozen=True)
class PictureRecord:
    """A picture of a unit: `pixels` uint8, (height, width, 1 or 3), and how it came about.

    `history` has the score of each step, float32, (steps,). `number` counts the pictures of one role. `key` is the
    entry's content address, 64 hexadecimal digits; `command` makes the picture again, where one can.
    """

    role: Role
    number: int
    pixels: np.ndarray
    score: float
    outcome: Outcome
    history: np.ndarray
    seed: int
    key: str
    command: str | None


@dataclass(frozen=True)
class UnitLink:
    """Another unit, and how strongly it is tied to this one: relative to the strongest, in [-1, 1].

    The sign is that of the summed weights, where it is known: excites or inhibits. A `UnitLink` of similar units has
    the cosine of their weights.
    """

    layer: str
    unit: int
    strength: float


@dataclass(frozen=True)
class ClassScore:
    """An output of the network on the unit's main picture: its number, its name or "", its logit, its softmax."""

    number: int
    name: str
    logit: float
    probability: float


@dataclass(frozen=True)
class Crop:
    """A photograph that excites the unit to some degree, and where in it the unit looks.

    `pixels`, uint8, (h, w, c), is the receptive field cut out. `percentile` says which activation interval: 100 the
    largest, 0 the smallest. `href` is a file:// address of the whole photograph or None; of it, (width, height)
    `whole` pixels when upright, the crop is `box` = (left, top, right, bottom), fractions of a pixel allowed.
    """

    percentile: int
    activation: float
    photo: str
    pixels: np.ndarray
    href: str | None
    whole: tuple[int, int] | None
    box: tuple[float, float, float, float] | None


@dataclass(frozen=True)
class Figure:
    """One figure of the evidence in words: `name` as "E1 predicts", its value, what to compare it with, what it means.

    `meaning` is a sentence for a tooltip.
    """

    name: str
    value: str
    beside: str
    meaning: str


@dataclass(frozen=True)
class Photographs:
    """What a survey says of a unit: statistics over its photographs, examples, and whether to trust the picture.

    `edges` (bins + 1,) and `counts` (bins,) are the histogram of the unit's largest activation on each photograph,
    `picture` the main picture's own activation on that scale. `trusted` is None where no evidence was computed,
    or it cannot be told; `verdict` says it in words.
    """

    count: int
    mean: float
    sd: float
    firing: float
    edges: np.ndarray
    counts: np.ndarray
    picture: float
    examples: tuple[Crop, ...]
    figures: tuple[Figure, ...] = ()
    trusted: bool | None = None
    verdict: str = ""


@dataclass(frozen=True)
class Unit:
    """A unit's page. `pictures` is not empty and begins with the main one; `label` is its class's name or "".

    `faults` names what is wrong with the main picture: "dead", "never rises", "gray", "not finite".
    `provenance` is the main picture's, plain JSON values.
    """

    layer: str
    unit: int
    label: str
    pictures: tuple[PictureRecord, ...]
    faults: tuple[str, ...] = ()
    inputs: tuple[UnitLink, ...] = ()
    outputs: tuple[UnitLink, ...] = ()
    similar: tuple[UnitLink, ...] = ()
    classes: tuple[ClassScore, ...] = ()
    photographs: Photographs | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class UnitSummary:
    """A unit on its layer's wall."""

    unit: int
    label: str
    score: float
    outcome: Outcome
    faults: tuple[str, ...]
    trusted: bool | None = None


@dataclass(frozen=True)
class LayerRecord:
    """A layer on the network's map: its shape, how many units are planned and done, which layers it grows from."""

    name: str
    shape: tuple[int, ...]
    units: int
    planned: int
    done: int
    parents: tuple[str, ...] = ()


@dataclass(frozen=True)
class NetworkRecord:
    """The front page: `facts` are label -> value lines such as recipe, size, weights; `complete` once all is done."""

    name: str
    layers: tuple[LayerRecord, ...]
    facts: Mapping[str, str]
    command: str | None
    complete: bool
    surveyed: bool
