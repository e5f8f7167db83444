"""The page of an explanation: what is decided, by which units, and what each place shows the network."""

from collections.abc import Sequence

from featviz.attribution.explanation import Explanation
from featviz.attribution.shown_pictures import ShownPictures
from featviz.attribution.site.layer_section import PagePictures, layer_section
from featviz.attribution.site.photo_overlays import data_address, photo_pixels
from featviz.common.safe_names import safe_name
from featviz.pages.addresses import INDEX, PageLink, link
from featviz.pages.formatting import format_percent
from featviz.pages.site_files import FileExists
from featviz.pages.templating import render_page

PACKAGE = "featviz.attribution.site"
# The longer side of a photo on the page.
PHOTO_SIDE = 448


def page_address(name: str) -> str:
    """The address of a photo's page, which is not that of the page that lists them.

    >>> page_address("cat.jpg"), page_address("index")
    ('cat.jpg.html', '%69ndex.html')
    """
    address = f"{safe_name(name)}.html"
    # Some disks ignore case.
    return f"%{ord(address[0]):02X}{address[1:]}" if address.lower() == INDEX else address


def render_explanation(
    explanation: Explanation,
    *,
    network: str,
    neighbors: tuple[PageLink | None, PageLink | None],
    faithfulness: Sequence[tuple[str, str]],
    pictures: ShownPictures,
    file_exists: FileExists,
    coming: int = 0,
    edit: str = "",
) -> bytes:
    """The page's HTML.

    Args:
      explanation: what it shows.
      network: the network's name.
      neighbors: the pages of the photos before and after this one.
      faithfulness: lines of the table that says how far the explanation is to be trusted.
      pictures: those that it shows.
      file_exists: whether the folder has a file.
      coming: how many pictures are still being drawn.
      edit: the network's edits, as `--edit` takes them.
    """
    address = page_address(explanation.name)
    shown = PagePictures(address, pictures, file_exists)
    layers = [layer_section(explanation, index, shown) for index in range(len(explanation.layers))]
    any_shown = any(item.src for layer in layers for item in (*layer.supporting, *layer.opposing))
    content = {
        "network": network,
        "edit": edit,
        "name": explanation.name,
        "heading": explanation.title,
        "score": explanation.score,
        "photo": data_address(photo_pixels(explanation.shown, PHOTO_SIDE)),
        "index_href": link(INDEX, address),
        "before": neighbors[0],
        "after": neighbors[1],
        "classes": [
            {"name": each.name or f"class {each.index}", "probability": format_percent(each.probability),
             "percent": 100 * each.probability, "logit": each.logit}
            for each in explanation.classes
        ],
        "layers": layers,
        "faithfulness": faithfulness,
        "pictures": pictures.words if any_shown or coming else "",
        "coming": coming,
    }  # fmt: skip
    return render_page(PACKAGE, "explanation.html", address=address, content=content)


def render_index(explanations: Sequence[Explanation], *, network: str) -> bytes:
    """The page that lists the photos."""
    photos = [
        {
            "name": each.name,
            "href": link(page_address(each.name), INDEX),
            "title": each.title,
            "src": data_address(photo_pixels(each.shown, 128)),
        }
        for each in explanations
    ]
    return render_page(PACKAGE, "photos.html", address=INDEX, content={"network": network, "photos": photos})
