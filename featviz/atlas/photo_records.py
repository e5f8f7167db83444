"""What a survey's photographs say of a layer's units: statistics, receptive fields by interval, evidence."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from tqdm import tqdm

from featviz.atlas.source_photos import Original, original_of, to_original
from featviz.errors import FeatvizError
from featviz.evaluation.evidence import evidence
from featviz.evaluation.evidence_text import figure_lines, verdict
from featviz.evaluation.features import Features
from featviz.model import Model
from featviz.pages.records import EvidenceFigure, PhotoCrop, SurveyRecord
from featviz.pictures.picture import Picture
from featviz.surveys.receptive_fields import Box
from featviz.surveys.reduction import BATCH, batches, maxima_of
from featviz.surveys.statistics import INTERVALS, Example, Statistics, examples, statistics
from featviz.surveys.survey import Survey

# Photographs of an interval: of the largest more, since they say most.
LARGEST, EACH = 9, 4
# Units whose pictures and crops are in memory at once.
AT_ONCE = 256
# A photo's number and a box in it.
Piece = tuple[int, Box]


def photographs_of(
    survey: Survey,
    layer: str,
    units: Mapping[int, Picture],
    *,
    other: Model | Features | None = None,
    progress: bool = False,
) -> dict[int, SurveyRecord]:
    """What a survey says of some units of a layer: unit -> its statistics, examples and evidence.

    Args:
      units: unit -> its main picture.
      other: another network, for the figures of `featviz.evaluation.figures`; without it there are none.

    Examples are nine photographs of the largest activations and four around each other percentile, cut to the
    receptive field as the network saw them. Each photograph is opened once, and the memory that its crops take is at
    most its own.

    Raises: FeatvizError for an unknown layer or unit, a survey without photos, photos that are no longer where they
    were, or too few of them for evidence.

    >>> import featviz as fv, tempfile
    >>> from featviz.pictures.picture import Outcome
    >>> pixels = np.random.default_rng(0).random((4, 64, 64, 3))
    >>> picture = Picture(pixels[0], 1.0, Outcome.CONVERGED, np.zeros(1), {})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     survey = fv.survey(fv.load("patterns"), pixels, out=f"{folder}/s", layers=["conv1"], progress=False)
    ...     found = photographs_of(survey, "conv1", {3: picture})[3]
    >>> found.count, [crop.percentile for crop in found.examples], found.examples[0].pixels.shape
    (4, [100, 100, 100, 100], (6, 6, 3))
    """
    return _photographs(survey, layer, statistics(survey, layer), units, other, progress=progress)


def photographs_in_parts(
    survey: Survey,
    layer: str,
    units: Sequence[int],
    picture: Callable[[int], Picture],
    *,
    other: Model | Features | None = None,
    at_once: int = AT_ONCE,
    progress: bool = False,
) -> Iterator[dict[int, SurveyRecord]]:
    """The same of any number of units, part by part; `picture` is asked for a unit's main picture in its turn.

    Parts are about equal, so that none is of a unit alone: a picture's figure E1 stands beside that of the others'.
    """
    if not units:
        return
    of = statistics(survey, layer)
    for part in np.array_split(np.array(units, int), -(-len(units) // at_once)):
        pictures = {unit: picture(unit) for unit in part.tolist()}
        yield _photographs(survey, layer, of, pictures, other, progress=progress)


def _photographs(
    survey: Survey,
    layer: str,
    of: Statistics,
    units: Mapping[int, Picture],
    other: Model | Features | None,
    *,
    progress: bool,
) -> dict[int, SurveyRecord]:
    for unit in units:
        if not 0 <= unit < len(of.mean):
            raise FeatvizError(f"`units` has {unit}; {layer} has {len(of.mean)} units, 0 to {len(of.mean) - 1}")
    own = _activations(survey.model, layer, units)
    chosen = {unit: _choose(survey, layer, unit) for unit in units}
    seen = _cut(survey, {(each.index, each.box) for some in chosen.values() for each in some}, progress=progress)
    found = {}
    for unit, some in chosen.items():
        crops = tuple(_crop(each, *seen[each.index, each.box], survey.size) for each in some)
        found[unit] = _describe(of, unit, int(survey.readable.sum()), own[unit], crops)
    return found if other is None else _judged(found, survey, layer, units, other, progress=progress)


def _activations(model: Model, layer: str, units: Mapping[int, Picture]) -> dict[int, float]:
    """Each unit's largest activation at inner positions of its own picture, as saved."""
    of_shape: dict[tuple[int, ...], dict[int, np.ndarray]] = {}
    for unit, picture in units.items():
        pixels = picture.to_uint8()[..., : model.input.channels]
        of_shape.setdefault(pixels.shape, {})[unit] = pixels
    found: dict[int, float] = {}
    for same in of_shape.values():
        tops = [
            row
            for count, some in batches(same.values(), count=min(BATCH, len(same)))
            for row in np.asarray(maxima_of(model, some, (layer,))[layer][0])[:count]
        ]
        found |= {unit: float(top[unit]) for unit, top in zip(same, tops, strict=True)}
    return found


def _choose(survey: Survey, layer: str, unit: int) -> list[Example]:
    every, chosen = examples(survey, layer, unit, per_interval=LARGEST), []
    for percentile in INTERVALS:
        some = [each for each in every if each.percentile == percentile]
        count = LARGEST if percentile == 100 else EACH
        # The most active come first: the smallest are the last, those nearest to a percentile in the middle.
        spare = max(len(some) - count, 0)
        first = spare if percentile == 0 else spare // 2
        chosen.extend(some[first : first + count])
    return chosen


def _cut(survey: Survey, wanted: set[Piece], *, progress: bool) -> dict[Piece, tuple[np.ndarray, Original | None]]:
    """The pieces' pixels and originals; each photo is opened once."""
    boxes: dict[int, list[Box]] = {}
    for number, box in sorted(wanted):
        boxes.setdefault(number, []).append(box)
    found = {}
    for number, some in tqdm(boxes.items(), unit="photo", disable=None if progress else True):
        pixels, original = survey.photo(number), original_of(survey, number)
        # Views where they are less than copies: then the photo is kept.
        kept = sum((right - left) * (bottom - top) for left, top, right, bottom in some) >= pixels[..., 0].size
        for left, top, right, bottom in some:
            piece = pixels[top:bottom, left:right]
            found[number, (left, top, right, bottom)] = (piece if kept else piece.copy(), original)
    return found


def _crop(example: Example, pixels: np.ndarray, original: Original | None, size: tuple[int, int]) -> PhotoCrop:
    known = (example.percentile, example.activation, example.photo, pixels)
    if original is None:
        return PhotoCrop(*known, None, None, None)
    box = to_original(example.box, size, original.whole, window=original.window)
    return PhotoCrop(*known, original.href, original.whole, box)


def _describe(of: Statistics, unit: int, count: int, picture: float, examples: tuple[PhotoCrop, ...]) -> SurveyRecord:
    with np.errstate(invalid="ignore"):  # of a unit that is infinite somewhere
        edges = of.edges(unit)
    moments = float(of.mean[unit]), float(of.sd[unit]), float(of.firing[unit])
    return SurveyRecord(count, *moments, edges, of.histogram[unit], picture, examples)


def _judged(
    found: Mapping[int, SurveyRecord],
    survey: Survey,
    layer: str,
    units: Mapping[int, Picture],
    other: Model | Features,
    *,
    progress: bool,
) -> dict[int, SurveyRecord]:
    """The same with the evidence figures and the flag."""
    # Evidence goes by names, which a picture of another origin need not have.
    named = [replace(each, provenance={**each.provenance, "name": f"{layer}:{unit}"}) for unit, each in units.items()]
    rows = evidence(named, survey, other=other, progress=progress).rows if named else ()
    judged = {}
    for unit, row in zip(units, rows, strict=True):
        trusted, said = verdict(row)
        figures = tuple(
            EvidenceFigure(line.heading, line.value, line.beside, line.meaning) for line in figure_lines(row)
        )
        judged[unit] = replace(found[unit], figures=figures, trusted=trusted, verdict=said)
    return judged
