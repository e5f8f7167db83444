"""The time of a picture in an atlas, compared to a render of the same units.

    python benchmarks/atlas_cost.py                                   # the built-in network
    python benchmarks/atlas_cost.py --weights googlenet.safetensors   # GoogLeNet's inception_4c, 16 units, 128 px

Renders the same units with `render` and as an atlas without and with its site, in turns, after all programs are
compiled. Prints median seconds per picture and the atlas's ratios to `render`. Hardware: two CPU cores. Time: three
minutes. Expected: at most 1.15 with the site.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import featviz as fv

ROUNDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path)
    options = parser.parse_args()
    model = fv.load("googlenet", weights=options.weights) if options.weights else fv.load("patterns")
    layer, units, size = ("inception_4c", range(16), 128) if options.weights else ("mixed4a", range(80), 64)
    settings = {"size": size, "progress": False}

    def render() -> None:
        fv.render(model, fv.channel(layer, units), **settings)

    def atlas(*, site: bool) -> None:
        with tempfile.TemporaryDirectory() as folder:
            fv.build_atlas(model, out=folder, layers=[layer], units=units, site=site, **settings)

    variants = {"render": render, "atlas": lambda: atlas(site=False), "atlas with its site": lambda: atlas(site=True)}
    times: dict[str, list[float]] = {name: [] for name in variants}
    for index in range(ROUNDS + 1):
        for name, variant in variants.items():
            started = time.perf_counter()
            variant()
            # The first round compiles.
            times[name] += [time.perf_counter() - started] if index else []
    medians = {name: statistics.median(seconds) / len(units) for name, seconds in times.items()}
    print(f"{model.name} {layer}, {len(units)} units, {size} px, {fv.recipes.default.steps} steps")
    for name, seconds in medians.items():
        print(f"{name:20} {seconds * 1000:7.0f} ms a picture  {seconds / medians['render']:.3f}")


if __name__ == "__main__":
    main()
