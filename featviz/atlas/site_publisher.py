"""The site as the atlas grows: pages of what is new now and then, all of them at the end."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from featviz.atlas.plan import Task
from featviz.atlas.site.site_writer import write_assets, write_index, write_layer, write_main, write_unit
from featviz.atlas.site.unit_json import read_published_unit
from featviz.atlas.site_data import SiteData, choose_strip, striking
from featviz.errors import FeatvizError, in_one_line
from featviz.pages.addresses import main_picture
from featviz.pages.page_images import SpriteSlot
from featviz.pages.records import NetworkRecord, Role, SurveyRecord

# Seconds between two looks at what is new, at the least; and at the least this many times as long as the last one
# took, so that pages cost two hundredths of the drawing at most.
EVERY, TIMES = 60.0, 50
# Units of a layer on the front page, and pages that are gathered at once.
STRIP, AT_ONCE = 12, 64
# Of what a compiler or a device says of a fault, which may be pages long.
LONGEST = 300


class SitePublisher:
    """Writes the site of an atlas under `folder`; told of the run's progress by `drawn` and `finished`.

    It needs nothing but an atlas that has been opened and its network: `complete` makes the site without drawing.
    """

    def __init__(
        self, gathering: SiteData, folder: Path, *, command: str | None = None, copy_photos: bool = False
    ) -> None:
        self.gathering, self.folder, self.command, self.copy_photos = gathering, folder, command, copy_photos
        # Units of each layer whose page is not what has been drawn; of which layers the disk has been asked for them.
        self.waiting: dict[str, set[int]] = {}
        self.asked: set[str] = set()
        self.hung: dict[str, dict[tuple[int, ...], SpriteSlot]] = {}
        self.due = time.monotonic() + EVERY
        self.given_up = False

    def drawn(self, task: Task, unit: int) -> None:
        """An entry is there: its unit's page is made, or made again, at the next look."""
        self._watch(lambda: self._drawn(task, unit))

    def finished(self, task: Task) -> None:
        """All of a task is there: a layer that has all its main pictures is looked at at once."""
        if task.series.role is Role.MAIN:
            self._watch(self.look)

    def layer(self, layer: str) -> None:
        """The pages of a layer's units that have none yet, or other pictures; its wall, and the front page."""
        if layer in self.gathering.atlas.layers:
            self.gathering.done(layer, anew=True)
            self.asked.discard(layer)
            self.waiting.setdefault(layer, set())
        self.look()

    def look(self) -> None:
        """The same of all layers of which something was drawn since the last look."""
        begun = time.monotonic()
        network = self.gathering.network(complete=False, command=self.command)
        write_assets(self.folder)
        for layer in [layer for layer in self.gathering.atlas.layers if layer in self.waiting]:
            waiting = self.waiting[layer]
            waiting |= self._outdated(layer)
            self._pages(network, layer, sorted(waiting.intersection(self.gathering.done(layer))), {})
            self._wall(network, layer, {})
            # What has no main picture yet waits for it.
            waiting.difference_update(self.gathering.done(layer))
            if not waiting:
                del self.waiting[layer]
        self._front(network)
        ended = time.monotonic()
        self.due = ended + max(EVERY, TIMES * (ended - begun))

    def complete(self) -> Path:
        """All pages, with what a survey says of them; the address of the front page.

        Raises: FeatvizError if they cannot be made; the pictures are in the atlas then as well.
        """
        try:
            return self._complete()
        except FeatvizError:
            raise
        # Whatever a network's program, a device or a file that is damaged may say.
        except Exception as error:
            raise FeatvizError(
                f"the site `{self.folder}` cannot be made: {_short(error)}; all that is drawn is kept"
            ) from error

    def _complete(self) -> Path:
        gathering = self.gathering
        write_assets(self.folder)
        for layer in gathering.atlas.layers:
            gathering.done(layer, anew=True)
        network = gathering.network(complete=gathering.whole(), command=self.command)
        # First all pictures, so that pages find those of other layers.
        for layer in gathering.atlas.layers:
            pixels = gathering.mains(layer)
            for unit in gathering.done(layer):
                if not (self.folder / main_picture(layer, unit)).exists():
                    write_main(self.folder, layer, unit, pixels(unit))
        for layer in gathering.atlas.layers:
            trusted: dict[int, bool | None] = {}
            for judged in gathering.photographs(layer):
                self._pages(network, layer, list(judged), judged)
                trusted |= {unit: seen.trusted for unit, seen in judged.items()}
            self._pages(network, layer, [unit for unit in gathering.done(layer) if unit not in trusted], {})
            self._wall(network, layer, trusted)
        self._front(network)
        return self.folder / "index.html"

    def _watch(self, work: Callable[[], None]) -> None:
        """Does what belongs to the site; if it fails, says so once and makes no more pages: the drawing goes on."""
        if self.given_up:
            return
        try:
            work()
        # Whatever a network's program, a device or a disk may say: none of it is a reason to stop drawing.
        except Exception as error:
            self.given_up = True
            tqdm.write(f"no more pages are made while drawing goes on: {_short(error)}", file=sys.stderr)

    def _drawn(self, task: Task, unit: int) -> None:
        if task.series.role is Role.MAIN:
            self.gathering.note(task.series.layer, unit)
        self.waiting.setdefault(task.series.layer, set()).add(unit)
        if time.monotonic() > self.due:
            self.look()

    def _outdated(self, layer: str) -> set[int]:
        """Units whose page on the disk shows other pictures than the atlas has; each layer is asked once."""
        if layer in self.asked:
            return set()
        self.asked.add(layer)
        found = set()
        for unit, keys in self.gathering.keys(layer).items():
            page = read_published_unit(self.folder, layer, unit)
            if page is None or page.keys != keys:
                found.add(unit)
            else:
                self.gathering.know(layer, page.summary)
        return found

    def _pages(
        self, network: NetworkRecord, layer: str, units: Sequence[int], judged: Mapping[int, SurveyRecord]
    ) -> None:
        there = self.gathering.done(layer)
        place = {unit: at for at, unit in enumerate(there)}
        for first in range(0, len(units), AT_ONCE):
            for page in self.gathering.units(layer, units[first : first + AT_ONCE], judged=judged):
                at = place[page.unit]
                before = there[at - 1] if at else None
                after = there[at + 1] if at + 1 < len(there) else None
                write_unit(self.folder, network, page, neighbors=(before, after), copy_photos=self.copy_photos)

    def _wall(self, network: NetworkRecord, layer: str, trusted: Mapping[int, bool | None]) -> None:
        gathering = self.gathering
        shown = next(each for each in network.layers if each.name == layer)
        briefs = gathering.briefs(layer, trusted=trusted)
        known = self.hung.get(layer, {})
        self.hung[layer] = write_layer(self.folder, network, shown, briefs, gathering.mains(layer), known=known)

    def _front(self, network: NetworkRecord) -> None:
        write_index(self.folder, network, {layer.name: self._strip(layer.name) for layer in network.layers})

    def _strip(self, layer: str) -> list[int]:
        """Some of a layer's units, the most striking one first: it may open the front page."""
        chosen = choose_strip(self.gathering.done(layer), STRIP)
        if not chosen:
            return []
        main = self.gathering.mains(layer)
        first = max(chosen, key=lambda unit: striking(main(unit)))
        return [first, *(unit for unit in chosen if unit != first)]


def _short(error: Exception) -> str:
    said = in_one_line(error)
    return said if len(said) <= LONGEST else f"{said[:LONGEST]}..."
