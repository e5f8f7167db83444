"""How soon a wall of 20,000 units can be used: the page of one layer, in a real browser, from the disk.

    python benchmarks/atlas_wall.py [--units 20000] [--repeats 5]

Synthetic pictures of 96 px are hung as `featviz.pages` hangs those of an atlas, in a temporary folder. Printed are
the seconds that writing takes, and medians of the browser's: until the wall answers and is painted, until all pictures
in sight are decoded, and the same after sorting by score, searching, and a jump into the middle. Chromium 1280 x 900
without a window (Debian's `chromium`, driven by Playwright), a fresh one each time, on two cores of an Intel Xeon that
ran ten other processes meanwhile, 2026-11-24:

20,000 units: written in 45 s (alone on the machine some 20 s; 1261 files, 68 MB), open .5 s, all pictures .5 s; sorted
.6 and .7 s; searched .3 and .3 s; jump .4 and 1.0 s. 1,000 units: written in 2.8 s, open .6 and .7 s, sorted .5 s.

A sheet holds 16 pictures because of sorting: then nearly each of the 130 pictures in sight is on a sheet of its own.
With 64 on a sheet the sorted wall took 1.2 to 2.0 s, with 256 5.4 s; in the order of their numbers all were alike.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from playwright.sync_api import Page, sync_playwright

from featviz.ascent.outcome import Outcome
from featviz.atlas.site.site_writer import write_assets, write_layer
from featviz.pages.addresses import layer_page
from featviz.pages.records import LayerRecord, NetworkRecord, UnitSummary

CHROMIUM = "/usr/bin/chromium"
SIDE = 96
# Two frames: what was changed before the first is on the screen by the second.
PAINTED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
SHEETS = """async () => {
  const sheets = new Set([...document.querySelectorAll("#grid .picture")].map(node => node.style.backgroundImage));
  await Promise.all([...sheets].filter(Boolean).map(sheet => {
    const image = new Image();
    image.src = sheet.slice(5, -2);
    return image.decode();
  }));
}"""


def picture(unit: int) -> np.ndarray:
    """Colored waves, another for each unit."""
    generator = np.random.default_rng(unit)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE * 2 * np.pi
    across, along, phase = generator.uniform(-9, 9, (3, 3, 1, 1))
    return ((np.sin(across * x + along * y + phase) + 1) * 127.5).astype(np.uint8).transpose(1, 2, 0)


def write(folder: Path, units: int) -> float:
    """Seconds that it takes to write the wall."""
    scores = np.random.default_rng(0).gamma(2, 3, units)
    briefs = [
        UnitSummary(unit, f"class {unit % 1000}", float(scores[unit]), Outcome.CONVERGED, ()) for unit in range(units)
    ]
    layer = LayerRecord("wall", (units,), units, units, units)
    network = NetworkRecord("synthetic", (layer,), {}, None, True, False)
    write_assets(folder)
    started = time.perf_counter()
    write_layer(folder, network, layer, briefs, picture)
    return time.perf_counter() - started


def measured(page: Page, address: str) -> dict[str, float]:
    """Seconds until the wall answers, and after each thing that is done with it."""
    found, started = {}, time.perf_counter()

    def note(name: str) -> None:
        nonlocal started
        page.evaluate(PAINTED)
        found[name] = time.perf_counter() - started
        page.evaluate(SHEETS)
        page.evaluate(PAINTED)
        found[f"{name}, all pictures"] = time.perf_counter() - started
        started = time.perf_counter()

    page.goto(address, wait_until="commit")
    page.wait_for_selector("html[data-ready]")
    note("open")
    page.select_option("#sort", "high")
    note("sort by score")
    page.fill("#search", "class 77")
    note("search")
    page.fill("#search", "")
    page.evaluate("scrollTo(0, document.body.scrollHeight / 2)")
    note("jump to the middle")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        print(f"write {options.units:,} units: {write(folder, options.units):.1f} s")
        files = [path for path in folder.rglob("*") if path.is_file()]
        print(f"{len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB")
        address = (folder / layer_page("wall")).as_uri() + "#size=medium"
        runs = []
        for _ in range(options.repeats):
            # A browser of its own each time: nothing is cached.
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            runs.append(measured(page, address))
            browser.close()
        for what in runs[0]:
            print(f"{what}: {median(run[what] for run in runs):.2f} s")


if __name__ == "__main__":
    main()
