"""How fast the page of an activation atlas of 5,917 cells is in a browser, from the disk.

    python benchmarks/activation_map.py [FOLDER] [--repeats 3] [--screenshots FOLDER]

FOLDER is a map that `featviz activation-atlas` has written; without it a synthetic one is, of 10 to 55 squares a side,
with pictures of 64 px. Prints the seconds until its pictures are painted, and at several zooms, while the map is
dragged over the screen for two seconds, the frames a second, the share of frames that came late (over 20 ms after the
one before) and the milliseconds that a frame takes to draw. Chromium 1280 x 900 and 390 x 844, headless, software
drawing (Debian's `chromium`, driven by Playwright), a new one each time.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from latent_map import CHROMIUM, PAINTED, measure_drag, picture
from playwright.sync_api import Page, sync_playwright

from featviz.activation_atlas.activation_map import ActivationAtlas, DrawnLevel
from featviz.activation_atlas.map_cells import cut_into_cells, most_alike
from featviz.activation_atlas.site.map_page import write_map_page

SIDES, ROWS, PER_PHOTO, UNITS = (10, 20, 30, 40, 55), 60_000, 16, 32
SCREENS = {"wide": (1280, 900), "phone": (390, 844)}
ZOOMS = (1, 2, 4, 12)
# When the pictures of all levels have been decoded; set before the page's own scripts run.
WATCH = """
  window.waiting = [];
  const Plain = window.Image;
  window.Image = function () {
    const image = new Plain();
    window.waiting.push(new Promise((done) => image.addEventListener("load", () => done(performance.now()))));
    return image;
  };
"""
LOADED = "async () => { await Promise.all(window.waiting); return window.waiting.length; }"
ZOOM = """(zoom) => {
  document.getElementById("all").click();
  const canvas = document.getElementById("map");
  const box = canvas.getBoundingClientRect();
  const [clientX, clientY] = [box.left + box.width / 2, box.top + box.height / 2];
  // The map grows by e for 400 px of the wheel, and takes at most 200 at once.
  for (let rest = 400 * Math.log(zoom); rest > 0; rest -= 200)
    canvas.dispatchEvent(new WheelEvent("wheel", { deltaY: -Math.min(rest, 200), clientX, clientY, cancelable: true }));
}"""


def write(folder: Path) -> int:
    """Writes a page of synthetic activations in clusters; returns how many cells it has."""
    rng = np.random.default_rng(0)
    places = np.clip(rng.normal(rng.uniform(0.15, 0.85, (40, 2))[rng.integers(0, 40, ROWS)], 0.09), 0, 1)
    values, photo = rng.random((ROWS, UNITS), np.float32), np.repeat(np.arange(ROWS // PER_PHOTO), PER_PHOTO)
    levels = []
    for side in SIDES:
        cells = cut_into_cells(places.astype(np.float32), values, photo, side=side, min_photos=1)
        count = len(cells.members)
        levels.append(
            DrawnLevel(
                cells,
                np.stack([picture(index) for index in range(count)]),
                tuple(tuple((int(each), 1.0) for each in rng.choice(1000, 12, replace=False)) for _ in range(count)),
                most_alike(cells.means, count=4),
                tuple(tuple(map(int, members[:4])) for members in cells.members),
            )
        )
    names = {row: f"{photo[row]}.jpg" for level in levels for rows in level.exemplars for row in rows}
    crops = {row: picture(row) for row in names}
    atlas = ActivationAtlas(folder, "synthetic", "layer", "", "umap", places, photo, tuple(levels), {})
    write_map_page(atlas, crops, names, class_names=[f"class {index}" for index in range(1000)])
    return sum(map(len, levels))


def dragged(page: Page, zoom: float) -> dict[str, float]:
    """Frames and drawing times while the map is dragged, zoomed in by a factor."""
    page.evaluate(ZOOM, zoom)
    page.wait_for_timeout(700)
    return measure_drag(page, "activationAtlas.MapView.prototype")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--screenshots", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = options.folder or Path(temporary)
        if options.folder is None:
            print(f"{write(folder):,} cells", flush=True)
        files = [path for path in folder.rglob("*") if path.suffix in (".webp", ".js", ".html", ".css")]
        print(f"{len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB", flush=True)
        for name, (width, height) in SCREENS.items():
            opened, runs = [], []
            for number in range(options.repeats):
                # A new browser each time: nothing is cached.
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
                page = browser.new_page(viewport={"width": width, "height": height})
                page.add_init_script(WATCH)
                started = time.perf_counter()
                page.goto((folder / "index.html").resolve().as_uri(), wait_until="commit")
                page.wait_for_function("() => document.getElementById('status')?.textContent")
                page.evaluate(LOADED)
                page.evaluate(PAINTED)
                opened.append(time.perf_counter() - started)
                runs.append([])
                for zoom in ZOOMS:
                    runs[-1].append(dragged(page, zoom))
                    if options.screenshots and not number:
                        options.screenshots.mkdir(parents=True, exist_ok=True)
                        page.screenshot(path=options.screenshots / f"{name}-{zoom}.png")
                browser.close()
            print(f"{name}, {width} x {height}: open {median(opened):.2f} s")
            for index, zoom in enumerate(ZOOMS):
                figures = {key: median(run[index][key] for run in runs) for key in runs[0][0]}
                print(f"  zoom {zoom}: " + ", ".join(f"{key} {value:.3g}" for key, value in figures.items()))


if __name__ == "__main__":
    main()
