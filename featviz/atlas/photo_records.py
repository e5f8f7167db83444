"""What a survey's photos say of a layer's units: statistics, examples by activation interval, evidence."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import UInt8

from featviz.atlas.photo_crops import choose_examples, crop_examples
from featviz.atlas.unit_profiles import LayerProfile, firing_photos, layer_profile, unit_profile
from featviz.errors import FeatvizError
from featviz.evaluation.evidence import evidence
from featviz.evaluation.evidence_text import figure_lines, verdict
from featviz.evaluation.features import Features
from featviz.model import Model
from featviz.pages.records import EvidenceFigure, PhotoCrop, SurveyRecord
from featviz.pictures.picture import Picture
from featviz.surveys.firing_examples import firing_examples
from featviz.surveys.reduction import BATCH, batches, maxima_of
from featviz.surveys.statistics import Statistics, statistics
from featviz.surveys.survey import Survey

# Units whose pictures and crops are in memory at once.
CHUNK = 256


def survey_records(
    survey: Survey,
    layer: str,
    units: Mapping[int, Picture],
    *,
    other: Model | Features | None = None,
    progress: bool = False,
) -> dict[int, SurveyRecord]:
    """What a survey says of some units of a layer: statistics, examples, and evidence if there is another network.

    Examples are nine photos with the largest activations and four around every other percentile, cropped to the unit's
    receptive field.

    Args:
      survey: of natural images.
      layer: a layer that the survey covers.
      units: unit -> its main picture.
      other: another network, for the evidence figures (`featviz.evaluation.figures`); without it there are none.
      progress: whether a progress bar is shown.

    Returns:
      unit -> record.

    Raises:
      FeatvizError: for an unknown layer or unit, a survey without photos, photos that have moved, or too few photos for
        evidence.

    >>> import featviz as fv, tempfile
    >>> from featviz.pictures.picture import Outcome
    >>> pixels = np.random.default_rng(0).random((4, 64, 64, 3))
    >>> picture = Picture(pixels[0], 1.0, Outcome.CONVERGED, np.zeros(1), {})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     survey = fv.survey(fv.load("patterns"), pixels, out=f"{folder}/s", layers=["conv1"], progress=False)
    ...     record = survey_records(survey, "conv1", {3: picture})[3]
    >>> record.count, [crop.percentile for crop in record.examples], record.examples[0].pixels.shape
    (4, [100, 100, 100, 100], (6, 6, 3))
    """
    return _survey_records(survey, layer, statistics(survey, layer), units, other, progress=progress)


def survey_records_in_chunks(
    survey: Survey,
    layer: str,
    units: Sequence[int],
    picture: Callable[[int], Picture],
    *,
    other: Model | Features | None = None,
    chunk: int = CHUNK,
    progress: bool = False,
) -> Iterator[dict[int, SurveyRecord]]:
    """`survey_records` for any number of units, chunk by chunk, with profiles; `picture` loads a unit's main picture.

    Chunks are of about equal size, so that none has a single unit: figure E1 compares a picture with those of other
    units.
    """
    if not units:
        return
    layer_statistics = statistics(survey, layer)
    # Outputs are compared for latents alone, which costs two runs behind the layer on 16 photographs each.
    effects = survey.layer(layer).latents
    profile = layer_profile(survey, layer, units, other=other, effects=effects, progress=progress)
    for indices in np.array_split(np.array(units, int), -(-len(units) // chunk)):
        pictures = {unit: picture(unit) for unit in indices.tolist()}
        yield _survey_records(survey, layer, layer_statistics, pictures, other, profile=profile, progress=progress)


def _survey_records(
    survey: Survey,
    layer: str,
    layer_statistics: Statistics,
    units: Mapping[int, Picture],
    other: Model | Features | None,
    *,
    profile: LayerProfile | None = None,
    progress: bool,
) -> dict[int, SurveyRecord]:
    count = len(layer_statistics.mean)
    for unit in units:
        if not 0 <= unit < count:
            raise FeatvizError(f"`units` has {unit}; {layer} has {count} units, 0 to {count - 1}")
    activations = _picture_activations(survey.model, layer, units)
    choose = firing_examples if survey.layer(layer).latents else choose_examples
    chosen = {unit: choose(survey, layer, unit) for unit in units}
    whole = {unit: [] if profile is None else firing_photos(profile, unit) for unit in units}
    # Together, since they are of the same photographs.
    crops = crop_examples(survey, {unit: [*chosen[unit], *whole[unit]] for unit in units}, progress=progress)
    photos = int(survey.readable.sum())
    records = {}
    for unit in units:
        examples, fired_on = crops[unit][: len(chosen[unit])], crops[unit][len(chosen[unit]) :]
        record = _record(layer_statistics, unit, photos, activations[unit], examples)
        made = None if profile is None else unit_profile(profile, unit, fired_on)
        records[unit] = replace(record, profile=made)
    return records if other is None else _with_evidence(records, survey, layer, units, other, progress=progress)


def _picture_activations(model: Model, layer: str, units: Mapping[int, Picture]) -> dict[int, float]:
    """Each unit's largest activation over interior positions on its picture, in 8 bits."""
    by_shape: dict[tuple[int, ...], dict[int, UInt8[np.ndarray, "h w c"]]] = {}
    for unit, picture in units.items():
        pixels = picture.to_uint8()[..., : model.input.channels]
        by_shape.setdefault(pixels.shape, {})[unit] = pixels
    activations: dict[int, float] = {}
    for images in by_shape.values():
        maxima = [
            row
            for count, batch in batches(images.values(), count=min(BATCH, len(images)))
            for row in np.asarray(maxima_of(model, batch, (layer,))[layer][0])[:count]
        ]
        activations |= {unit: float(row[unit]) for unit, row in zip(images, maxima, strict=True)}
    return activations


def _record(
    layer_statistics: Statistics, unit: int, photos: int, activation: float, crops: tuple[PhotoCrop, ...]
) -> SurveyRecord:
    with np.errstate(invalid="ignore"):  # of a unit that is infinite on some photo
        edges = layer_statistics.edges(unit)
    return SurveyRecord(
        count=photos,
        mean=float(layer_statistics.mean[unit]),
        std=float(layer_statistics.sd[unit]),
        active_fraction=float(layer_statistics.firing[unit]),
        edges=edges,
        counts=layer_statistics.histogram[unit],
        picture_activation=activation,
        examples=crops,
    )


def _with_evidence(
    records: Mapping[int, SurveyRecord],
    survey: Survey,
    layer: str,
    units: Mapping[int, Picture],
    other: Model | Features,
    *,
    progress: bool,
) -> dict[int, SurveyRecord]:
    """The records with the evidence figures E0 to E5 and the flag."""
    # Evidence identifies units by names, which a picture of another origin may lack.
    named = [
        replace(picture, provenance={**picture.provenance, "name": f"{layer}:{unit}"})
        for unit, picture in units.items()
    ]
    rows = evidence(named, survey, other=other, progress=progress).rows if named else ()
    judged = {}
    for unit, row in zip(units, rows, strict=True):
        trusted, words = verdict(row)
        figures = tuple(
            EvidenceFigure(line.heading, line.value, line.beside, line.meaning) for line in figure_lines(row)
        )
        judged[unit] = replace(records[unit], figures=figures, trusted=trusted, verdict=words)
    return judged
