"""The site while an atlas grows: new pages from time to time during a run, all pages at the end."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from tqdm import tqdm

from featviz.atlas.series import Task
from featviz.atlas.site.site_writer import write_assets, write_index, write_layer, write_main, write_unit
from featviz.atlas.site.unit_json import read_published_unit
from featviz.atlas.site_data import SiteData
from featviz.dictionaries.latent_map import LatentMap
from featviz.errors import FeatvizError, in_one_line
from featviz.pages.addresses import main_picture
from featviz.pages.page_images import SpriteSlot
from featviz.pages.records import NetworkRecord, Role, SurveyRecord

# Updates during a run are at least this many seconds apart, and at least this many times as long as the last one took,
# so that pages cost at most 2 % of the run.
MIN_INTERVAL, COST_FACTOR = 60.0, 50
# Units of each layer on the front page, and pages whose records are in memory at once.
SHOWN_UNITS, CHUNK = 12, 64
# Characters of an error message that are shown: a compiler's may be pages long.
MAX_MESSAGE = 300
# A picture is as striking as the colors of so many blocks a side differ.
BLOCKS = 16


class SitePublisher:
    """Writes the site of an atlas; notified of the run's progress by `entry_written` and `task_completed`.

    It needs only an open atlas and its network: `complete` makes the site without a run.

    Args:
      data: what the pages show.
      folder: where the site is written.
      command: the command that makes the atlas, shown on the front page.
      copy_photos: whether photos become files of the site.
    """

    def __init__(self, data: SiteData, folder: Path, *, command: str | None = None, copy_photos: bool = False) -> None:
        self.data, self.folder, self.command, self.copy_photos = data, folder, command, copy_photos
        # Units of each layer with new entries since their page was written.
        self._outdated: dict[str, set[int]] = {}
        # Layers whose pages on disk have been compared with the atlas.
        self._compared: set[str] = set()
        self._sprites: dict[str, dict[tuple[int, ...], SpriteSlot]] = {}
        self._next_update = time.monotonic() + MIN_INTERVAL
        self._failed = False

    def entry_written(self, task: Task, unit: int) -> None:
        """An entry has been written: the page of its unit is outdated until the next update."""
        self._guard(lambda: self._add(task, unit))

    def task_completed(self, task: Task) -> None:
        """A task is complete: after all main pictures of a layer the site is updated at once."""
        if task.series.role is Role.MAIN:
            self._guard(self.update)

    def update_layer(self, layer: str) -> None:
        """Writes a layer's outdated and missing pages, its own page and the front page, from what is on disk."""
        if layer in self.data.atlas.layers:
            self.data.finished_units(layer, refresh=True)
            self._compared.discard(layer)
            self._outdated.setdefault(layer, set())
        self.update()

    def update(self) -> None:
        """`update_layer` for all layers with new entries since the last update."""
        started = time.monotonic()
        network = self.data.network_record(complete=False, command=self.command)
        write_assets(self.folder)
        for layer in [layer for layer in self.data.atlas.layers if layer in self._outdated]:
            outdated = self._outdated[layer]
            outdated |= self._differing_pages(network, layer)
            self._write_units(network, layer, sorted(outdated.intersection(self.data.finished_units(layer))), {})
            self._write_layer(network, layer, {})
            # Units without a main picture yet stay outdated.
            outdated.difference_update(self.data.finished_units(layer))
            if not outdated:
                del self._outdated[layer]
        self._write_index(network)
        ended = time.monotonic()
        self._next_update = ended + max(MIN_INTERVAL, COST_FACTOR * (ended - started))

    def complete(self) -> Path:
        """Writes all pages, with what a survey says of the units.

        Returns:
          the path of the front page.

        Raises:
          FeatvizError: if the site cannot be made; the pictures stay in the atlas.
        """
        try:
            return self._complete()
        except FeatvizError:
            raise
        # A network's program, a device or a damaged file may raise anything.
        except Exception as error:
            raise FeatvizError(
                f"the site `{self.folder}` cannot be made: {_shortened(error)}; all pictures are kept"
            ) from error

    def _complete(self) -> Path:
        data = self.data
        write_assets(self.folder)
        for layer in data.atlas.layers:
            data.finished_units(layer, refresh=True)
        network = data.network_record(complete=data.is_complete(), command=self.command)
        # All pictures first, so that pages can show those of other layers.
        for layer in data.atlas.layers:
            pixels, name = data.main_pixels(layer), network.address_name(layer)
            for unit in data.finished_units(layer):
                if not (self.folder / main_picture(name, unit)).exists():
                    write_main(self.folder, name, unit, pixels(unit))
        for layer in data.atlas.layers:
            trusted: dict[int, bool | None] = {}
            for surveyed in data.survey_records(layer):
                self._write_units(network, layer, list(surveyed), surveyed)
                trusted |= {unit: record.trusted for unit, record in surveyed.items()}
            remaining = [unit for unit in data.finished_units(layer) if unit not in trusted]
            self._write_units(network, layer, remaining, {})
            self._write_layer(network, layer, trusted, layout=data.latent_map(layer))
        self._write_index(network)
        return self.folder / "index.html"

    def _guard(self, work: Callable[[], None]) -> None:
        """Calls `work`; if it fails, reports it once and writes no more pages during the run."""
        if self._failed:
            return
        try:
            work()
        # A network's program, a device or a disk may raise anything; none of it is a reason to stop rendering.
        except Exception as error:
            self._failed = True
            tqdm.write(f"no more pages are written during this run: {_shortened(error)}", file=sys.stderr)

    def _add(self, task: Task, unit: int) -> None:
        if task.series.role is Role.MAIN:
            self.data.add_finished(task.series.layer, unit)
        self._outdated.setdefault(task.series.layer, set()).add(unit)
        if time.monotonic() > self._next_update:
            self.update()

    def _differing_pages(self, network: NetworkRecord, layer: str) -> set[int]:
        """Units whose page on disk shows other pictures than the atlas has; each layer is compared once."""
        if layer in self._compared:
            return set()
        self._compared.add(layer)
        differing = set()
        for unit, keys in self.data.entry_keys(layer).items():
            page = read_published_unit(self.folder, network.address_name(layer), unit)
            if page is None or page.keys != keys:
                differing.add(unit)
            else:
                self.data.add_summary(layer, page.summary)
        return differing

    def _write_units(
        self, network: NetworkRecord, layer: str, units: Sequence[int], surveyed: Mapping[int, SurveyRecord]
    ) -> None:
        finished = self.data.finished_units(layer)
        indices = {unit: index for index, unit in enumerate(finished)}
        for first in range(0, len(units), CHUNK):
            for record in self.data.unit_records(layer, units[first : first + CHUNK], surveyed=surveyed):
                index = indices[record.unit]
                before = finished[index - 1] if index else None
                after = finished[index + 1] if index + 1 < len(finished) else None
                write_unit(self.folder, network, record, neighbors=(before, after), copy_photos=self.copy_photos)

    def _write_layer(
        self,
        network: NetworkRecord,
        layer: str,
        trusted: Mapping[int, bool | None],
        *,
        layout: LatentMap | None = None,
    ) -> None:
        record = next(record for record in network.layers if record.name == layer)
        summaries = self.data.summaries(layer, trusted=trusted)
        known, pixels = self._sprites.get(layer, {}), self.data.main_pixels(layer)
        self._sprites[layer] = write_layer(self.folder, network, record, summaries, pixels, known=known, layout=layout)

    def _write_index(self, network: NetworkRecord) -> None:
        write_index(self.folder, network, {layer.name: self._shown_units(layer.name) for layer in network.layers})

    def _shown_units(self, layer: str) -> list[int]:
        """Units of a layer for the front page, the most striking one first: it may open the page."""
        chosen = spread_evenly(self.data.finished_units(layer), SHOWN_UNITS)
        if not chosen:
            return []
        pixels = self.data.main_pixels(layer)
        first = max(chosen, key=lambda unit: coarse_contrast(pixels(unit)))
        return [first, *(unit for unit in chosen if unit != first)]


def spread_evenly(units: Sequence[int], count: int) -> list[int]:
    """At most `count` of the units, evenly spread.

    >>> spread_evenly(range(10), 4)
    [0, 3, 6, 9]
    """
    if len(units) <= count:
        return list(units)
    return [units[round(step * (len(units) - 1) / (count - 1))] for step in range(count)]


def coarse_contrast(pixels: UInt8[np.ndarray, "h w c"] | None) -> float:
    """How much structures stand out in a picture: the standard deviation of the colors of its 16 x 16 blocks.

    Finer ones count as texture; with blocks of a quarter, blurred pictures come first.

    >>> coarse_contrast(np.tile(np.array([[[0], [255]]], np.uint8), (16, 16, 1))), coarse_contrast(None)
    (0.0, 0.0)
    """
    if pixels is None or min(pixels.shape[:2]) < BLOCKS:
        return 0.0
    rows, columns = (side // BLOCKS * BLOCKS for side in pixels.shape[:2])
    blocks = pixels[:rows, :columns].reshape(BLOCKS, rows // BLOCKS, BLOCKS, columns // BLOCKS, -1).mean((1, 3))
    return float(blocks.std((0, 1)).mean())


def _shortened(error: Exception) -> str:
    message = in_one_line(error)
    return message if len(message) <= MAX_MESSAGE else f"{message[:MAX_MESSAGE]}..."
