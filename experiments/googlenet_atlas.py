"""An atlas of GoogLeNet: sixteen units of each of its nine blocks with full pages, tied to one another.

    python experiments/googlenet_atlas.py -o googlenet_atlas/

The units are a circuit: sixteen of `inception_5b` drawn at random, and of each block below those that are the strongest
inputs of the ones chosen above, so that most of what a page names has its own picture. With photographs in
photos/ the network is surveyed first, and DeiT judges the pictures. Whatever stops it, the same command goes on.
`--all` draws all 5,488 units, with basic pages, which is for a GPU.

Hardware: two CPU cores. Time: 2.6 hours beside other work, in two runs (the first was killed); two thirds of it are the
groups of unlike pictures. Expected: 1,296 pictures of 144 units, none dead, gray or falling; the site at
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
EACH = 16


def survey(model: fv.Model, out: Path) -> fv.Survey | None:
    """Every unit of the blocks over the photographs, where there are any."""
    photos = FOLDER / "photos"
    return fv.survey(model, photos, out=out, layers=BLOCKS) if photos.is_dir() else None


def circuit(model: fv.Model, seen: fv.Survey | None) -> dict[str, list[int]]:
    """Sixteen units of each block: see above."""
    std = unit_std(model, BLOCKS) if seen is None else surveyed_unit_std(seen, BLOCKS)
    rng = np.random.default_rng(0)
    chosen = {BLOCKS[-1]: sorted(rng.choice(model.layer(BLOCKS[-1]).units, EACH, replace=False).tolist())}
    for below, layer in zip(BLOCKS[-2::-1], BLOCKS[:0:-1], strict=True):
        weights = expanded_weights(model, below, layer, std[below])
        votes: Counter[int] = Counter()
        for unit in chosen[layer]:
            for other, strength in strongest(weights[unit], EACH):
                votes[other] += abs(strength)
        chosen[below] = sorted(unit for unit, _ in votes.most_common(EACH))
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
    seen = survey(model, options.out / "survey")
    atlas = fv.build_atlas(
        model,
        out=options.out / "atlas",
        layers=BLOCKS,
        units=None if options.all else circuit(model, seen),
        full=() if options.all else BLOCKS,
        size=128,
        survey=seen,
        other=fv.load("deit_tiny", weights=network("deit_tiny_patch16_224")) if seen is not None else None,
    )
    print(*atlas.report(), sep="\n")
    for layer in atlas.layers:
        pictures = [atlas.picture(f"{layer}:{unit}") for unit in atlas.find(layer)["units"]]
        print(save_sheet(pictures[:64], options.out / f"{layer}.webp"))


if __name__ == "__main__":
    main()
