"""`fv.evidence`: the evidence figures of pictures, as a table with a row for each unit."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from featviz.common.progress import progress_bar
from featviz.errors import FeatvizError, suggest
from featviz.evaluation import figures
from featviz.evaluation.corruptions import Pixels
from featviz.evaluation.evaluate import UnitEvidence, evaluate_pictures
from featviz.evaluation.features import Features, features_of
from featviz.evaluation.reference_statistics import features_of_photos, reference_statistics, split_photos
from featviz.evaluation.sample_statistics import bootstrap_interval, finite_mean
from featviz.evaluation.unit_crops import PER_DECILE
from featviz.model import Model, hash_weights
from featviz.pictures.captions import split_name
from featviz.pictures.picture import Picture, plain_json
from featviz.surveys.survey import Survey

# What names of pictures of a unit's strongest positions end in, such as 40@top16 and 40@top16patches.
STRONGEST = re.compile(r"@top\d+(patches\d*)?$")


@dataclass(frozen=True, repr=False)
class Evidence:
    """The evidence of several units.

    Attributes:
      rows: one a unit.
      other: the network and the layer whose features compare pictures with photographs.
      pictures: the first picture of each unit, in the order of the rows, which a notebook shows; () if there are none.
    """

    rows: tuple[UnitEvidence, ...]
    other: str
    pictures: tuple[Picture, ...] = ()

    def __repr__(self) -> str:
        trusted = sum(row.trusted is True for row in self.rows)
        return f"<Evidence of {len(self.rows)} units, {trusted} trusted, compared by {self.other}>"

    def _repr_html_(self) -> str:
        from featviz.evaluation.evidence_html import evidence_html

        return evidence_html(self)

    def column(self, quantity: str) -> Float[np.ndarray, " units"]:
        """One quantity of all units, such as "prediction"; "activation" and "flag_margin" too.

        Raises: FeatvizError, with the nearest name, for an unknown one.
        """
        if quantity == "activation":
            return np.array([row.activation for row in self.rows], np.float64)
        if quantity == "flag_margin":
            return np.array([row.flag_margin for row in self.rows], np.float64)
        names = [known.name for known in figures.quantities()]
        if quantity not in names:
            raise FeatvizError(f"there is no quantity `{quantity}`; {suggest(quantity, names)}")
        return np.array([row.figures[quantity] for row in self.rows], np.float64)

    def means(self) -> dict[str, tuple[float, float, float]]:
        """Quantity -> its mean over units, and the ends of the mean's 95 % bootstrap interval; nan is left out."""
        names = ["activation", *(quantity.name for quantity in figures.quantities()), "flag_margin"]
        columns = {name: self.column(name) for name in names}
        return {name: (finite_mean(values), *bootstrap_interval(values)) for name, values in columns.items()}

    def to_json(self) -> dict[str, Any]:
        """Everything as plain JSON values; numbers that are not finite are text, as `plain_json` writes them."""
        units = [
            {
                "name": row.name,
                "activation": row.activation,
                **row.figures,
                "flag_margin": row.flag_margin,
                "flag_reasons": row.flag_reasons,
                "inconclusive": row.inconclusive,
                "trusted": row.trusted,
            }
            for row in self.rows
        ]
        means = {name: list(values) for name, values in self.means().items()}
        plain: dict[str, Any] = plain_json({"other": self.other, "units": units, "means": means})
        return plain


def evidence(
    pictures: Sequence[Picture],
    survey: Survey,
    *,
    other: Model | Features,
    per_decile: int = PER_DECILE,
    progress: bool = True,
) -> Evidence:
    """The evidence figures of pictures of channels: how far pictures and photographs agree.

    The figures are listed by `featviz.evaluation.figures`; the flag is in `featviz.evaluation.flag`. Pictures are
    evaluated as they are saved, with 8 bits a channel.

    Args:
      pictures: with names such as `inception_4c:103`, as `render` gives them, in layers of the survey. Several
        pictures of one unit are evaluated together.
      survey: of the network that the pictures are of; 800 photographs are enough, 40 the minimum.
      other: ANOTHER network, whose features compare pictures with photographs: a Model, for its layer half way
        through, or `Features`, which name a layer.
      per_decile: photographs of each decile in E1.
      progress: whether to show a progress bar.

    Returns: one row a unit, in the order of the pictures.

    Raises: FeatvizError for a picture that is not of a channel, of a layer that the survey lacks, or of other weights
      than the survey's, or a survey of too few photographs.

    >>> import featviz as fv, tempfile
    >>> model, photos = fv.load("patterns"), np.random.default_rng(0).random((40, 32, 32, 3))
    >>> picture = fv.render(model, fv.channel("conv1", 3), size=32, steps=1, progress=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     survey = fv.survey(model, photos, out=f"{folder}/survey", layers=["conv1"], size=32, progress=False)
    ...     evidence = fv.evidence([picture], survey, other=fv.Features(model, "conv1"), progress=False)
    >>> evidence.rows[0].name, evidence.column("prediction").shape
    ('conv1:3', (1,))
    """
    phi = replace(features_of(other), rgb=survey.model.input.rgb)
    split_photos(survey)
    check_weights_match(pictures, survey.model)
    layers: dict[str, dict[int, list[Pixels]]] = {}
    for picture in pictures:
        layer, unit = unit_of(picture, survey)
        layers.setdefault(layer, {}).setdefault(unit, []).append(picture.to_uint8()[..., : survey.model.input.channels])
    rows: dict[str, UnitEvidence] = {}
    with progress_bar(None, total=1 + 2 * len(layers), unit="part", shown=progress) as bar:
        photo_features = features_of_photos(survey, phi)
        bar.update()
        for layer, units in layers.items():
            reference = reference_statistics(survey, layer, list(units), phi, photo_features, per_decile=per_decile)
            bar.update()
            rows |= {row.name: row for row in evaluate_pictures(survey.model, reference, units, phi).values()}
            bar.update()
    first: dict[str, Picture] = {}
    for picture in pictures:
        first.setdefault("{}:{}".format(*unit_of(picture, survey)), picture)
    return Evidence(tuple(rows[name] for name in first), f"{phi.model.name} {phi.layer}", tuple(first.values()))


def check_weights_match(pictures: Sequence[Picture], model: Model) -> None:
    """Refuses pictures that were drawn of other weights than a network's, where they record their own."""
    expected = hash_weights(model.weights)
    other = [p.name for p in pictures if p.provenance.get("network", {}).get("weights_sha256", expected) != expected]
    if other:
        raise FeatvizError(
            f"`{other[0]}` was drawn with other weights than the survey's; expected pictures of {model.name}"
        )


def unit_of(picture: Picture, survey: Survey) -> tuple[str, int]:
    """The layer and the unit of a picture of a channel, or of a unit's strongest positions.

    Raises: FeatvizError if the picture is of something else, or the survey lacks its layer.
    """
    layer, unit = split_name(picture.name)
    unit = STRONGEST.sub("", unit)
    if not unit.isdecimal():
        raise FeatvizError(
            f"the picture `{picture.name}` is not of one channel; expected a name such as inception_4c:103"
        )
    units = survey.layer(layer).units
    if int(unit) >= units:
        raise FeatvizError(f"the picture `{picture.name}` is of no unit; {layer} has {units} units, 0 to {units - 1}")
    return layer, int(unit)
