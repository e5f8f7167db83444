"""Evidence: each picture beside what the survey's photographs say of its unit, as the figures E0 to E5."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from tqdm import tqdm

from featviz.errors import FeatvizError, nearest
from featviz.evaluation import figures
from featviz.evaluation.evaluate import UnitEvidence, judge
from featviz.evaluation.features import Features, features_of
from featviz.evaluation.reference_statistics import EACH, phi_of_photos, split_photos, witnesses
from featviz.model import Model
from featviz.pictures.captions import split_name
from featviz.pictures.picture import Picture, plain_json
from featviz.surveys.survey import Survey

NUMBERS = tuple(field.name for field in fields(UnitEvidence) if field.type is float)


@dataclass(frozen=True, repr=False)
class Evidence:
    """A table of judgments; `means()` averages each figure over units, with its bootstrap interval."""

    rows: tuple[UnitEvidence, ...]
    other: str

    def __repr__(self) -> str:
        trusted = sum(row.trusted is True for row in self.rows)
        return f"<Evidence of {len(self.rows)} units, {trusted} trusted, compared by {self.other}>"

    def column(self, figure: str) -> np.ndarray:
        """One figure of all units. Raises FeatvizError with the nearest name for an unknown one."""
        if figure not in NUMBERS:
            raise FeatvizError(f"there is no figure `{figure}`; {nearest(figure, NUMBERS)}")
        return np.array([getattr(row, figure) for row in self.rows], np.float64)

    def to_json(self) -> dict[str, Any]:
        """All figures as plain JSON values."""
        means = {name: list(values) for name, values in self.means().items()}
        units = [{**asdict(row), "trusted": row.trusted} for row in self.rows]
        plain: dict[str, Any] = plain_json({"other": self.other, "units": units, "means": means})
        return plain

    def means(self) -> dict[str, tuple[float, float, float]]:
        """Figure -> mean over units, and the ends of its 95 % interval."""
        table = {}
        for name in NUMBERS:
            values = self.column(name)
            table[name] = (figures.finite_mean(values), *figures.interval(values))
        return table


def evidence(
    pictures: Sequence[Picture],
    survey: Survey,
    *,
    other: Model | Features,
    each: int = EACH,
    progress: bool = True,
) -> Evidence:
    """The figures E0 to E5 of pictures of channels, one row a unit; several pictures of one unit are judged together.

    Args:
      pictures: with names such as `inception_4c:103`, as `render` gives them, in layers of the survey.
      survey: of the network that the pictures are of.
      other: ANOTHER network, whose features compare pictures with photographs: a Model, or `Features`, which names
        the layer too.
      each: photographs of each decile of B in E1.

    The formulas are in `featviz.evaluation.figures`, the flag in `featviz.evaluation.flag`. Pictures are judged
    as they are saved, 8 bits a channel.

    Raises: FeatvizError for a picture of no channel, of a layer that the survey lacks, or a survey of too few photos.
    """
    phi = features_of(other)
    split_photos(survey)
    layers: dict[str, dict[int, list[np.ndarray]]] = {}
    for picture in pictures:
        layer, unit = unit_of(picture, survey)
        layers.setdefault(layer, {}).setdefault(unit, []).append(picture.to_uint8()[..., : survey.model.input.channels])
    rows: dict[str, UnitEvidence] = {}
    with tqdm(total=1 + 2 * len(layers), unit="part", disable=None if progress else True) as bar:
        whole = phi_of_photos(survey, phi)
        bar.update()
        for layer, units in layers.items():
            known = witnesses(survey, layer, list(units), phi, whole, each=each)
            bar.update()
            rows |= {row.name: row for row in judge(survey.model, known, units, phi).values()}
            bar.update()
    order = dict.fromkeys("{}:{}".format(*unit_of(picture, survey)) for picture in pictures)
    return Evidence(tuple(rows[name] for name in order), f"{phi.model.name} {phi.layer}")


def unit_of(picture: Picture, survey: Survey) -> tuple[str, int]:
    """The layer and the unit of a picture of a channel.

    Raises: FeatvizError if its name is another's, or the survey lacks its layer.
    """
    layer, unit = split_name(picture.name)
    if not unit.isdecimal():
        raise FeatvizError(
            f"the picture `{picture.name}` is not of one channel; expected a name such as inception_4c:103"
        )
    units = survey.layer(layer).units
    if int(unit) >= units:
        raise FeatvizError(f"the picture `{picture.name}` is of no unit; {layer} has {units} units, 0 to {units - 1}")
    return layer, int(unit)
