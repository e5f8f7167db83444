"""How fast the page of a layer with 20,000 units is in a browser, from the disk.

    python benchmarks/atlas_page.py [--units 20000] [--repeats 5]

Writes synthetic pictures of 96 px with `featviz.pages`, as an atlas does, to a temporary folder. Prints the seconds of
writing, and medians of the browser's seconds until the page responds and is painted, and until all pictures in view are
decoded; the same after sorting by score, searching, and a jump to the middle. Chromium 1280 x 900, headless (Debian's
`chromium`, driven by Playwright), a new one each time, on two cores of an Intel Xeon beside ten other processes,
2026-11-24:

20,000 units: written in 45 s (about 20 s alone on the machine; 1261 files, 68 MB), open .5 s, all pictures .5 s; sorted
.6 and .7 s; searched .3 and .3 s; jump .4 and 1.0 s. 1,000 units: written in 2.8 s, open .6 and .7 s, sorted .5 s.

A sprite sheet holds 16 pictures because of sorting: nearly each of the 130 pictures in view is then on another sheet.
With 64 on a sheet the sorted page took 1.2 to 2.0 s, with 256 5.4 s; in the order of the units all were equally fast.
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
# Two frames: a change before the first one is on the screen by the second.
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
    """Colored waves, different for each unit."""
    generator = np.random.default_rng(unit)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE * 2 * np.pi
    across, along, phase = generator.uniform(-9, 9, (3, 3, 1, 1))
    return ((np.sin(across * x + along * y + phase) + 1) * 127.5).astype(np.uint8).transpose(1, 2, 0)


def write(folder: Path, units: int) -> float:
    """Writes the page; returns the seconds."""
    scores = np.random.default_rng(0).gamma(2, 3, units)
    summaries = [
        UnitSummary(unit, f"class {unit % 1000}", float(scores[unit]), Outcome.CONVERGED, ()) for unit in range(units)
    ]
    layer = LayerRecord("layer", (units,), units, units, units)
    network = NetworkRecord("synthetic", (layer,), {}, None, True, False)
    write_assets(folder)
    started = time.perf_counter()
    write_layer(folder, network, layer, summaries, picture)
    return time.perf_counter() - started


def measured(page: Page, address: str) -> dict[str, float]:
    """Seconds until the page responds, and after each action."""
    seconds, started = {}, time.perf_counter()

    def record(name: str) -> None:
        nonlocal started
        page.evaluate(PAINTED)
        seconds[name] = time.perf_counter() - started
        page.evaluate(SHEETS)
        page.evaluate(PAINTED)
        seconds[f"{name}, all pictures"] = time.perf_counter() - started
        started = time.perf_counter()

    page.goto(address, wait_until="commit")
    page.wait_for_selector("html[data-ready]")
    record("open")
    page.select_option("#sort", "high")
    record("sort by score")
    page.fill("#search", "class 77")
    record("search")
    page.fill("#search", "")
    page.evaluate("scrollTo(0, document.body.scrollHeight / 2)")
    record("jump to the middle")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = Path(temporary)
        print(f"write {options.units:,} units: {write(folder, options.units):.1f} s")
        files = [path for path in folder.rglob("*") if path.is_file()]
        print(f"{len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB")
        address = (folder / layer_page("layer")).as_uri() + "#size=medium"
        runs = []
        for _ in range(options.repeats):
            # A new browser each time: nothing is cached.
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            runs.append(measured(page, address))
            browser.close()
        for name in runs[0]:
            print(f"{name}: {median(run[name] for run in runs):.2f} s")


if __name__ == "__main__":
    main()
