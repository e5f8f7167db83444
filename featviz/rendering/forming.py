"""Pictures that are shown as they form, where a notebook's cell waits for them."""

import importlib
import sys
import time
from collections.abc import Callable
from typing import Any

from featviz.ascent.lanes import CHECK_EVERY
from featviz.common.displayed_list import show_items
from featviz.common.notebook_html import Html
from featviz.common.progress import shows_progress
from featviz.pictures.picture import Picture
from featviz.rendering.draw import render_groups
from featviz.rendering.request import Request

# Seconds before the first pictures are shown, and between two times: what is quickly done needs no film.
AFTER, BETWEEN = 3.0, 1.0
# Pictures shown at a time. Of more objectives only finished ones are shown, the latest.
MOST = 12

# Shows HTML, each time in place of the last.
Screen = Callable[[Html], None]


def render_shown(
    request: Request, *, screen: Screen | None = None, after: float = AFTER, between: float = BETWEEN
) -> dict[int, list[Picture]]:
    """Each objective's group of pictures, which a notebook shows as they form.

    What was shown goes when all are finished. The pictures are the same whether they are shown or not.

    Args:
      request: what to render; without `progress` nothing is shown.
      screen: where to show it; by default the output of the notebook's cell, if there is one.
      after: seconds before the first pictures are shown.
      between: seconds between two times.
    """
    if screen is None and request.progress:
        screen = notebook_screen()
    if screen is None:
        return dict(render_groups(request))
    few = len(request.objectives) <= MOST
    groups: dict[int, list[Picture]] = {}
    due, shown = time.monotonic() + after, False
    try:
        for index, group in render_groups(request, snapshot_every=CHECK_EVERY if few else None):
            groups[index] = group
            if time.monotonic() >= due:
                screen(_newest(groups, ordered=few))
                shown, due = True, time.monotonic() + between
    finally:
        if shown:
            screen(Html(""))
    return groups


def notebook_screen() -> Screen | None:
    """The output of the notebook's cell that is running, or None outside of notebooks with IPython's kernel."""
    ipython: Any = sys.modules.get("IPython")
    # IPython is not imported where it is not: in a notebook it is there.
    if ipython is None or not shows_progress() or sys.stderr.isatty() or ipython.get_ipython() is None:
        return None
    display: Any = importlib.import_module("IPython.display")
    handle = display.DisplayHandle()
    begun: list[bool] = []

    def show(shown: Html) -> None:
        html = display.HTML(shown)
        handle.update(html) if begun else handle.display(html)
        begun.append(True)

    return show


def _newest(groups: dict[int, list[Picture]], *, ordered: bool) -> Html:
    """The pictures of the latest groups; all of them, in the order of their objectives, where they are few."""
    chosen = [groups[index] for index in sorted(groups)] if ordered else list(groups.values())[-MOST:]
    return show_items(picture for group in chosen for picture in group)
