"""How fast the map of a layer of 32,000 latents is in a browser, from the disk.

    python benchmarks/latent_map.py [--latents 32000] [--repeats 3] [--screenshots FOLDER]

Writes a page of synthetic latents, in clusters, with pictures of 64 px, as an atlas does, to a temporary folder. Prints
the seconds until the map is painted; and at several zooms, while the map is dragged over the screen for two seconds,
the frames a second, the share of frames that came late (over 20 ms after the one before) and the milliseconds that a
frame takes to draw. Chromium 1280 x 900, headless, software drawing (Debian's `chromium`, driven by Playwright), a new
one each time.
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
from featviz.dictionaries.latent_map import LatentMap, settle
from featviz.pages.addresses import layer_page
from featviz.pages.records import LayerRecord, NetworkRecord, UnitSummary

CHROMIUM = "/usr/bin/chromium"
SIDE = 64
PAINTED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
# Records frames from now on: when each came, and how long the map took to draw. To be called with the map's prototype.
RECORD = """(kind) => {
  const record = { frames: [], draws: [], done: false };
  window.record = record;
  const draw = window.plainDraw ?? kind.draw;
  window.plainDraw = draw;
  kind.draw = function () {
    const start = performance.now();
    draw.call(this);
    record.draws.push(performance.now() - start);
  };
  const frame = (now) => {
    record.frames.push(now);
    if (!record.done) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}"""
# Drags the map along a circle for two seconds, one pointer event a frame.
DRAG = """() => new Promise(done => {
  const canvas = document.getElementById("map");
  const box = canvas.getBoundingClientRect();
  const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
  const send = (type, dx, dy) => canvas.dispatchEvent(new PointerEvent(type, {
    pointerId: 1, clientX: x + dx, clientY: y + dy, bubbles: true, buttons: 1, isPrimary: true,
  }));
  canvas.setPointerCapture = () => {};
  send("pointerdown", 0, 0);
  const start = performance.now();
  const step = (now) => {
    const angle = (now - start) / 500;
    send("pointermove", 260 * Math.sin(angle), 160 * (Math.cos(angle) - 1));
    if (now - start < 2000) return requestAnimationFrame(step);
    send("pointercancel", 0, 0);
    window.record.done = true;
    done();
  };
  requestAnimationFrame(step);
})"""


def picture(latent: int) -> np.ndarray:
    """Colored waves, different for each latent."""
    generator = np.random.default_rng(latent)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE * 2 * np.pi
    across, along, phase = generator.uniform(-9, 9, (3, 3, 1, 1))
    return ((np.sin(across * x + along * y + phase) + 1) * 127.5).astype(np.uint8).transpose(1, 2, 0)


def clusters(latents: int) -> LatentMap:
    """Places in a few hundred clusters of different sizes, as UMAP gives them."""
    generator = np.random.default_rng(0)
    centers, sizes = generator.normal(0.5, 0.17, (400, 2)), generator.gamma(2, 0.005, 400)
    chosen = generator.integers(0, 400, latents)
    places = centers[chosen] + generator.normal(size=(latents, 2)) * sizes[chosen, None]
    side = 1 << int(np.ceil(np.log2(4 * np.sqrt(latents))))
    return LatentMap("UMAP", side, settle(np.clip(places, 0, 0.9999), side))


def write(folder: Path, latents: int) -> float:
    """Writes the page; returns the seconds."""
    scores = np.random.default_rng(0).gamma(2, 3, latents)
    summaries = [UnitSummary(index, "", float(scores[index]), Outcome.CONVERGED, ()) for index in range(latents)]
    layer = LayerRecord("layer/latents", (latents,), latents, latents, latents)
    network = NetworkRecord("synthetic", (layer,), {}, None, True, False)
    write_assets(folder)
    started = time.perf_counter()
    write_layer(folder, network, layer, summaries, picture, layout=clusters(latents))
    return time.perf_counter() - started


def dragged(page: Page, zoom: float) -> dict[str, float]:
    """Frames and drawing times while the map is dragged, zoomed in by a factor."""
    page.evaluate("zoom => { atlas.mapView.fit(); atlas.mapView.zoomBy(zoom); }", zoom)
    page.wait_for_timeout(1500)
    return measure_drag(page, "Object.getPrototypeOf(atlas.mapView)")


def measure_drag(page: Page, kind: str) -> dict[str, float]:
    """Frames and drawing times while a map is dragged; `kind` is JavaScript for the prototype that draws it."""
    page.evaluate(f"() => ({RECORD})({kind})")
    page.evaluate(DRAG)
    record = page.evaluate("() => window.record")
    gaps = np.diff(record["frames"])
    return {
        "frames a second": 1000 / float(gaps.mean()),
        "late": float((gaps > 20).mean()),
        "ms to draw": float(np.median(record["draws"])),
        "ms to draw, slowest of 20": float(np.quantile(record["draws"], 0.95)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latents", type=int, default=32_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--screenshots", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = Path(temporary)
        print(f"write {options.latents:,} latents: {write(folder, options.latents):.1f} s", flush=True)
        files = [path for path in folder.rglob("*") if path.is_file()]
        print(f"{len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB", flush=True)
        address = (folder / layer_page("layer/latents")).as_uri()
        opened, runs = [], []
        zooms = (1, 4, 12, 40)
        for number in range(options.repeats):
            # A new browser each time: nothing is cached.
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            started = time.perf_counter()
            page.goto(address, wait_until="commit")
            page.wait_for_selector("html[data-mapped]")
            page.evaluate(PAINTED)
            opened.append(time.perf_counter() - started)
            runs.append([])
            for zoom in zooms:
                runs[-1].append(dragged(page, zoom))
                if options.screenshots and not number:
                    options.screenshots.mkdir(parents=True, exist_ok=True)
                    page.wait_for_timeout(700)
                    page.screenshot(path=options.screenshots / f"map-{zoom}.png")
            browser.close()
        print(f"open: {median(opened):.2f} s")
        for index, zoom in enumerate(zooms):
            figures = {name: median(run[index][name] for run in runs) for name in runs[0][0]}
            print(f"zoom {zoom}: " + ", ".join(f"{name} {value:.3g}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
