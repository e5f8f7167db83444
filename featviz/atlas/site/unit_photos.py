"""What photographs say of a unit: the flag, the crops, the histogram, the figures of the evidence."""

from itertools import groupby

from featviz.pages import text
from featviz.pages.addresses import crop_name
from featviz.pages.charts import histogram
from featviz.pages.markup import Child, Html, join, tag
from featviz.pages.records import EvidenceFigure, NetworkRecord, PhotoCrop, SurveyRecord, UnitRecord

SCHEME = "file://"


def photographs(network: NetworkRecord, unit: UnitRecord, *, copied: bool) -> tuple[str, Child, Child]:
    """The section of the photographs, or how to come by one: (title, note, body)."""
    seen = unit.survey
    if seen is None:
        return "In photographs", None, _missing(network)
    note = f"{text.count(seen.count, of='photograph')} surveyed."
    body = [_verdict(seen), _statistics(seen), histogram(seen), _evidence(seen.figures), _spectrum(seen, copied)]
    return "In photographs", note, body


def crop_href(crop: PhotoCrop) -> str | None:
    """The photograph's address, if the page can show it cut to the crop."""
    whole = crop.href and crop.href.startswith(SCHEME) and crop.photo_size and crop.box
    return crop.href if whole and _sized(crop) else None


def _sized(crop: PhotoCrop) -> bool:
    left, top, right, bottom = crop.box or (0, 0, 0, 0)
    return right > left and bottom > top and min(crop.photo_size or (0, 0)) > 0


def _missing(network: NetworkRecord) -> Html:
    if network.surveyed:
        return tag("p", "This unit is not among those of the survey.", class_="prose")
    command = f"{network.command or 'featviz atlas MODEL -o ATLAS'} --survey FOLDER"
    said = (
        "No photographs have been surveyed. With a folder of them the atlas shows which ones excite this unit, "
        "and whether they bear its picture out:"
    )
    return join(tag("p", said, class_="prose"), tag("pre", tag("code", command)))


def _verdict(seen: SurveyRecord) -> Html | None:
    if seen.trusted is None:
        return tag("p", seen.verdict, class_="prose") if seen.verdict else None
    flag = "Borne out by photographs." if seen.trusted else "In doubt."
    return tag("p", tag("strong", flag), " ", seen.verdict, class_="verdict " + ("trust" if seen.trusted else "doubt"))


def _statistics(seen: SurveyRecord) -> Html:
    parts = [
        f"Active on {text.percent(seen.active_fraction)} of them",
        f"largest activation {text.number(seen.mean)} on average, standard deviation {text.number(seen.std)}",
    ]
    return tag("p", "; ".join(parts) + ".", class_="prose")


def _evidence(figures: tuple[EvidenceFigure, ...]) -> Html | None:
    if not figures:
        return None
    rows = []
    for at, figure in enumerate(figures):
        tip = f"meaning-{at}"
        name = tag("button", figure.name, type="button", aria_describedby=tip)
        rows.append(
            tag(
                "div",
                tag("dt", name, tag("span", figure.meaning, role="tooltip", id=tip)),
                tag(
                    "dd",
                    tag("b", figure.value),
                    tag("span", figure.comparison, class_="beside") if figure.comparison else None,
                ),
            )
        )
    return tag("dl", rows, class_="evidence")


def _spectrum(seen: SurveyRecord, copied: bool) -> list[Html]:
    numbered = sorted(enumerate(seen.examples), key=lambda pair: -pair[1].percentile)
    rows = []
    for percentile, group in groupby(numbered, key=lambda pair: pair[1].percentile):
        crops = [_crop(crop, number, copied) for number, crop in group]
        top = " exemplars" if percentile >= 100 else ""
        rows.append(
            tag("section", tag("h3", _interval(percentile)), tag("div", crops, class_="row"), class_="interval" + top)
        )
    return rows


def _interval(percentile: int) -> str:
    if percentile >= 100:
        return "Most exciting"
    if percentile <= 0:
        return "Least exciting"
    return "Around the median" if percentile == 50 else f"Around the {percentile}th percentile"


def _crop(crop: PhotoCrop, number: int, copied: bool) -> Html:
    alt = f"What the unit sees of {crop.photo}: activation {text.number(crop.activation)}"
    height, width = crop.pixels.shape[:2]
    href = crop_href(crop)
    if copied:
        inner = tag("img", src=crop_name(number), alt=alt, width=width, height=height, loading="lazy", decoding="async")
        frame = tag("span", inner, class_="frame")
    elif href and crop.box and crop.photo_size:
        (left, top, right, bottom), (wide, tall) = crop.box, crop.photo_size
        across, down = right - left, bottom - top
        sides = {"width": wide / across, "height": tall / down, "left": -left / across, "top": -top / down}
        place = ";".join(f"{side}:{100 * value:.3f}%" for side, value in sides.items())
        inner = tag("img", src=href, alt=alt, width=wide, height=tall, style=place, loading="lazy", decoding="async")
        frame = tag("span", inner, class_="frame cut", style=f"aspect-ratio:{across:.3f}/{down:.3f}")
    else:
        frame = tag("span", class_="frame empty", role="img", aria_label=f"{alt}; the photograph is not at hand")
    framed = tag("a", frame, href=href) if href and not copied else frame
    return tag("figure", framed, tag("figcaption", text.number(crop.activation)), title=crop.photo)
