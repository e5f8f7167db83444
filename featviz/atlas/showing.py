"""The site as the atlas grows: pages of what is new now and then, all of them at the end."""

import time
from collections.abc import Mapping
from pathlib import Path

from featviz.atlas.gathering import Gathering, choose_strip
from featviz.atlas.plan import Task
from featviz.atlas.records import LayerShown, NetworkShown, Photographs, Role
from featviz.atlas.site.addresses import main_picture
from featviz.atlas.site.writer import write_assets, write_index, write_layer, write_unit

# Seconds between two looks at what is new: making pages must not cost more than a few hundredths of the drawing.
EVERY = 60.0
# Units of a layer on the front page, and pages that are gathered at once.
STRIP, AT_ONCE = 12, 64


class Showing:
    """Writes the site of an atlas under `folder`; told of the run's progress by `drawn` and `finished`."""

    def __init__(
        self, gathering: Gathering, folder: Path, *, command: str | None = None, copy_photos: bool = False
    ) -> None:
        self.gathering, self.folder, self.command, self.copy_photos = gathering, folder, command, copy_photos
        self.written: set[tuple[str, int]] = set()
        self.looked = time.monotonic()

    def drawn(self, task: Task, unit: int) -> None:
        """An entry is there: its page is made when a minute has passed."""
        if task.series.role is Role.MAIN and time.monotonic() - self.looked > EVERY:
            self.layer(task.series.layer)

    def finished(self, task: Task) -> None:
        """All of a task is there."""
        if task.series.role is Role.MAIN:
            self.layer(task.series.layer)

    def layer(self, layer: str) -> None:
        """The pages of a layer's units that have none yet, its wall, and the front page."""
        self.gathering.done(layer, anew=True)
        network = self.gathering.network(complete=False, command=self.command)
        new = [unit for unit in self.gathering.done(layer) if (layer, unit) not in self.written]
        write_assets(self.folder)
        self._pages(network, layer, new, {})
        self._wall(network, layer, {})
        self._front(network)
        self.looked = time.monotonic()

    def complete(self) -> Path:
        """All pages, with what a survey says of them; the address of the front page."""
        write_assets(self.folder)
        for layer in self.gathering.atlas.layers:
            self.gathering.done(layer, anew=True)
        done, planned = self.gathering.atlas.count()
        network = self.gathering.network(complete=done == planned, command=self.command)
        # First all pictures, so that pages find those of other layers.
        for layer in self.gathering.atlas.layers:
            new = [
                unit for unit in self.gathering.done(layer) if not (self.folder / main_picture(layer, unit)).exists()
            ]
            self._pages(network, layer, new, {})
        for layer in self.gathering.atlas.layers:
            judged = self.gathering.photographs(layer)
            self._pages(network, layer, self.gathering.done(layer), judged)
            self._wall(network, layer, judged)
        self._front(network)
        return self.folder / "index.html"

    def _pages(self, network: NetworkShown, layer: str, units: list[int], judged: Mapping[int, Photographs]) -> None:
        there = self.gathering.done(layer)
        place = {unit: at for at, unit in enumerate(there)}
        for first in range(0, len(units), AT_ONCE):
            for page in self.gathering.units(layer, units[first : first + AT_ONCE], judged=judged):
                at = place[page.unit]
                before = there[at - 1] if at else None
                after = there[at + 1] if at + 1 < len(there) else None
                write_unit(self.folder, network, page, neighbours=(before, after), copy_photos=self.copy_photos)
                self.written.add((layer, page.unit))

    def _wall(self, network: NetworkShown, layer: str, judged: Mapping[int, Photographs]) -> None:
        gathering = self.gathering
        own = gathering.entries(gathering.atlas.find(layer))
        channels = own.attributes["channels"]
        shown: LayerShown = next(each for each in network.layers if each.name == layer)
        briefs = gathering.briefs(layer, judged=judged)
        write_layer(self.folder, network, shown, briefs, lambda unit: own.pixels(unit)[0][..., :channels])

    def _front(self, network: NetworkShown) -> None:
        strips = {layer.name: choose_strip(self.gathering.done(layer.name), STRIP) for layer in network.layers}
        write_index(self.folder, network, strips)
