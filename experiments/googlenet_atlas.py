"""An atlas of GoogLeNet: sixteen units of each of its nine blocks with full pages, linked to one another.

    python experiments/googlenet_atlas.py -o googlenet_atlas/

The units form a circuit: sixteen of `inception_5b` at random, and in each block below the strongest inputs of the units
chosen above, so that most units that a page names have a picture. With photos in photos/ the network is surveyed first,
and DeiT provides the evidence. The same command resumes a run that was stopped. `--all` renders all 5,488 units with
basic pages, which needs a GPU.

Hardware: two CPU cores. Time: 2.6 hours beside other work, in two runs (the first was killed); two thirds of it are the
diverse groups. Expected: 1,296 pictures of 144 units, none of them dead, gray or never rising; the site at
googlenet_atlas/atlas/site/index.html, and a contact sheet of each block beside it.
"""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
from data import FOLDER, network

import featviz as fv
from featviz.circuits.expanded_weights import expanded_weights
from featviz.circuits.ranking import strongest
from featviz.circuits.unit_std import surveyed_unit_std, unit_std
from featviz.cli.options.network_options import name_classes
from featviz.common.compilation_cache import use_compilation_cache
from featviz.pictures.sheets import save_sheet

BLOCKS = [f"inception_{name}" for name in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")]
UNITS_PER_BLOCK = 16


def survey(model: fv.Model, out: Path) -> fv.Survey | None:
    """A survey of the blocks on the photos, if there are any."""
    photos = FOLDER / "photos"
    return fv.survey(model, photos, out=out, layers=BLOCKS) if photos.is_dir() else None


def circuit(model: fv.Model, surveyed: fv.Survey | None) -> dict[str, list[int]]:
    """Sixteen units of each block, as described above."""
    std = unit_std(model, BLOCKS) if surveyed is None else surveyed_unit_std(surveyed, BLOCKS)
    rng = np.random.default_rng(0)
    chosen = {BLOCKS[-1]: sorted(rng.choice(model.layer(BLOCKS[-1]).units, UNITS_PER_BLOCK, replace=False).tolist())}
    for below, layer in zip(BLOCKS[-2::-1], BLOCKS[:0:-1], strict=True):
        weights = expanded_weights(model, below, layer, std[below])
        votes: Counter[int] = Counter()
        for unit in chosen[layer]:
            for other, strength in strongest(weights[unit], UNITS_PER_BLOCK):
                votes[other] += abs(strength)
        chosen[below] = sorted(unit for unit, _ in votes.most_common(UNITS_PER_BLOCK))
    return {layer: chosen[layer] for layer in BLOCKS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--all", action="store_true", help="all 5,488 units, with basic pages")
    options = parser.parse_args()
    use_compilation_cache()
    options.out.mkdir(parents=True, exist_ok=True)
    model = fv.load("googlenet", weights=network("googlenet"))
    names = FOLDER / "networks" / "imagenet_classes.json"
    model = name_classes(model, names) if names.exists() else model
    surveyed = survey(model, options.out / "survey")
    atlas = fv.build_atlas(
        model,
        out=options.out / "atlas",
        layers=BLOCKS,
        units=None if options.all else circuit(model, surveyed),
        full=() if options.all else BLOCKS,
        size=128,
        survey=surveyed,
        other=fv.load("deit_tiny", weights=network("deit_tiny_patch16_224")) if surveyed is not None else None,
    )
    print(*atlas.report(), sep="\n")
    for layer in atlas.layers:
        pictures = [atlas.picture(f"{layer}:{unit}") for unit in atlas.find(layer).units]
        print(save_sheet(pictures[:64], options.out / f"{layer}.webp"))


if __name__ == "__main__":
    main()
