"""A unit's activations on photographs: the flag, the histogram, the evidence and example photographs."""

from itertools import groupby
from typing import NamedTuple

from featviz.pages.addresses import crop_name
from featviz.pages.charts import HistogramChart, histogram_chart
from featviz.pages.formatting import format_count, format_number
from featviz.pages.page_images import PageImage
from featviz.pages.records import PhotoCrop, SurveyRecord

SCHEME = "file://"
# Percentiles with a name of their own; the others are called by their number.
INTERVAL_TITLES = {100: "Highest activations", 50: "Around the median", 0: "Lowest activations"}


class PhotoExample(NamedTuple):
    """A photograph on the page: a copied crop is `image`, a linked photograph an `image` cut by the two styles.

    Without either it is an empty frame with the alternative text.
    """

    photo: str
    activation: str
    alt: str
    image: PageImage | None
    href: str | None
    image_style: str | None
    frame_style: str | None


class PhotoInterval(NamedTuple):
    """The examples of one interval of activations; those of the highest are shown larger."""

    title: str
    highest: bool
    examples: tuple[PhotoExample, ...]


class SurveyContent(NamedTuple):
    """The section of the survey."""

    record: SurveyRecord
    histogram: HistogramChart | None
    intervals: tuple[PhotoInterval, ...]
    parts_note: str = ""


def survey_content(survey: SurveyRecord, *, copied: bool, latent: bool = False) -> SurveyContent:
    """The section's content; `copied` if the crops are files of the site.

    Of a latent, the intervals are those of the photographs on which it fires.
    """
    photos = format_count(survey.count, of="photograph")
    histogram = histogram_chart(
        survey.edges,
        survey.counts,
        marked=survey.picture_activation,
        description=f"Histogram of the maximum activation on each of {photos}",
    )
    # Crops are numbered in the record's order, whatever the order on the page.
    by_percentile = sorted(enumerate(survey.examples), key=lambda pair: -pair[1].percentile)
    intervals = tuple(
        PhotoInterval(
            _interval_title(percentile),
            percentile >= 100,
            tuple(copied_example(crop, crop_name(index)) if copied else linked_example(crop) for index, crop in group),
        )
        for percentile, group in groupby(by_percentile, key=lambda pair: pair[1].percentile)
    )
    note = "Percentiles are among the photographs on which it fires." if latent else ""
    return SurveyContent(survey, histogram, intervals, note)


def crop_href(crop: PhotoCrop) -> str | None:
    """The photograph's address if it is a file, and the page can show it cut to the crop."""
    if not (crop.href and crop.href.startswith(SCHEME) and crop.photo_size and crop.box):
        return None
    left, top, right, bottom = crop.box
    return crop.href if right > left and bottom > top and min(crop.photo_size) > 0 else None


def _interval_title(percentile: int) -> str:
    return INTERVAL_TITLES.get(min(max(percentile, 0), 100), f"Around the {percentile}th percentile")


def copied_example(crop: PhotoCrop, name: str) -> PhotoExample:
    """A crop that is a file of the site beside the unit's page."""
    height, width = crop.pixels.shape[:2]
    alt = _alternative_text(crop)
    image = PageImage(name, alt, width, height)
    return PhotoExample(crop.photo, format_number(crop.activation), alt, image, None, None, None)


def linked_example(crop: PhotoCrop) -> PhotoExample:
    """The whole photograph, scaled and shifted in its frame such that the receptive field fills the frame."""
    href, alt, activation = crop_href(crop), _alternative_text(crop), format_number(crop.activation)
    if not (href and crop.box and crop.photo_size):
        return PhotoExample(crop.photo, activation, f"{alt}; the photograph is not available", None, None, None, None)
    (left, top, right, bottom), (photo_width, photo_height) = crop.box, crop.photo_size
    width, height = right - left, bottom - top
    fractions = {
        "width": photo_width / width,
        "height": photo_height / height,
        "left": -left / width,
        "top": -top / height,
    }
    return PhotoExample(
        photo=crop.photo,
        activation=activation,
        alt=alt,
        image=PageImage(href, alt, photo_width, photo_height),
        href=href,
        image_style=";".join(f"{side}:{100 * value:.3f}%" for side, value in fractions.items()),
        frame_style=f"aspect-ratio:{width:.3f}/{height:.3f}",
    )


def _alternative_text(crop: PhotoCrop) -> str:
    return f"Receptive field in {crop.photo}: activation {format_number(crop.activation)}"
