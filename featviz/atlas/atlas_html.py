"""An atlas in a notebook: how much is drawn, and some pictures of each layer."""

import numpy as np

from featviz.atlas.reading import Atlas
from featviz.atlas.series import PlannedSeries
from featviz.common.bands import shown_bands
from featviz.common.notebook_html import Html, heading_html, image_html, joined_html, row_html, table_html, text_html
from featviz.pages.records import Role
from featviz.pictures.picture_files import squeeze_gray

SIDE = 72
# Layers and pictures of each; more make a notebook's file large.
MOST_LAYERS, PICTURES = 16, 8


def atlas_html(atlas: Atlas) -> Html:
    """A row for each layer, of which large networks show some, evenly spaced."""
    done, planned = atlas.count()
    series = [each for each in atlas.plan if each.role is Role.MAIN]
    chosen = np.unique(np.linspace(0, len(series) - 1, MOST_LAYERS).round().astype(int)) if series else ()
    rows = [_layer_row(atlas, series[index]) for index in chosen]
    title = heading_html(f"Atlas {atlas.store.location}", f"{done:,} of {planned:,} entries")
    left = len(series) - len(rows)
    more = [text_html(f"and {left} more layers", quiet=True)] if left > 0 else []
    return joined_html([title, table_html(("layer", "units", "pictures"), rows), *more])


def _layer_row(atlas: Atlas, series: PlannedSeries) -> tuple[Html, Html, Html]:
    from PIL import Image

    entries = atlas.entries(series.path)
    written = sorted(entries.written().intersection(series.units))
    intact = [unit for unit in written[: 2 * PICTURES] if not entries.damaged([unit])][:PICTURES]
    network = entries.attributes["run"].get("network", {})
    images = []
    for unit in intact:
        pixels = entries.pixels(unit)[0][..., : entries.attributes["channels"]]
        shown = squeeze_gray(shown_bands(pixels, tuple(network.get("rgb", ()))))
        images.append(image_html(Image.fromarray(shown), f"Picture of {series.layer}:{unit}", side=SIDE))
    spaced = [Html(f'<div style="margin:0 .25em .25em 0">{image}</div>') for image in images]
    count = f"{len(written):,} of {len(series.units):,}" if len(written) < len(series.units) else f"{len(written):,}"
    return text_html(series.layer), text_html(count), row_html(spaced)
