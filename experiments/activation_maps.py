"""Is what lies side by side on an activation atlas alike? A known answer, and the trustworthiness of both layouts.

The built-in network is shown gratings of every orientation. Where its layers tell orientations apart, a map must have
them in order, on a ring: the nearest activation of another photograph is of nearly the same orientation, and places are
explained by cos 2a and sin 2a of the orientation a. For the maps in FOLDERS, which `featviz activation-atlas` has
written, it prints the trustworthiness of UMAP and of PCA (scikit-learn, 15 neighbors by angle, at 3,000 activations):
whether an activation's neighbors on the map are near to it in the layer too, by ranks, 1 at best and .5 by chance.

    python experiments/activation_maps.py [FOLDER ...] [--apart MAP OTHER]

With `--apart` it says instead how far apart the same places of the same photographs lie on two maps: at the median, in
sides of the map, as they are and after the best turn; and how far two places of different photographs lie, by chance.

It needs umap-learn and scikit-learn, and takes a minute on one core, and another for each folder of 12,800 activations.

Expected, gratings in mixed4a: by UMAP 2.2 degrees between neighbors and .76 of the places' variance, by PCA 4.4 degrees
and .63; by chance 45 degrees and 0. GoogLeNet's inception_4c on 800 photographs: trustworthiness .83 by UMAP, .70 by
PCA. The maps of inception_4b and inception_4c on 200 photographs: .14 apart where the first is aligned with the second,
.25 where not, .21 after the best turn, .45 by chance.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

import featviz as fv
from featviz.activation_atlas.kept_places import read_placed
from featviz.activation_atlas.map_layout import LAYOUTS, LayoutSettings, turned
from featviz.activation_atlas.map_positions import sample_positions
from featviz.dictionaries.fitting.activation_store import HELD_OUT, TRAIN, open_activations
from featviz.surveys.photos import find_photos

COUNT, SIDE, FREQUENCY = 240, 64, 0.1
LAYERS = ("conv2", "mixed3a", "mixed4a")
# Activations at which trustworthiness is measured: it compares all pairs.
MEASURED, NEIGHBORS = 3000, 15


def gratings(count: int, *, seed: int = 0) -> tuple[np.ndarray, list[np.ndarray]]:
    """Orientations at random, from 0 to pi, and gray gratings of them."""
    rng = np.random.default_rng(seed)
    orientations = rng.random(count) * np.pi
    y, x = np.mgrid[0:SIDE, 0:SIDE] - (SIDE - 1) / 2
    waves = [
        0.5 + 0.4 * np.sin(2 * np.pi * (FREQUENCY * (x * np.cos(a) + y * np.sin(a)) + rng.random()))
        for a in orientations
    ]
    return orientations, [np.repeat(wave[..., None], 3, -1).astype(np.float32) for wave in waves]


def ring(places: np.ndarray, orientations: np.ndarray, photo: np.ndarray) -> tuple[float, float]:
    """Degrees between neighbors of different photographs, the median, and how much of the places a ring explains."""
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    apart[photo[:, None] == photo[None]] = np.inf
    turned = orientations - orientations[apart.argmin(1)]
    degrees = np.degrees(np.median(np.abs((turned + np.pi / 2) % np.pi - np.pi / 2)))
    basis = np.stack([np.cos(2 * orientations), np.sin(2 * orientations), np.ones(len(places))], 1)
    rest = places - basis @ np.linalg.lstsq(basis, places, rcond=None)[0]
    return float(degrees), float(1 - (rest**2).sum() / ((places - places.mean(0)) ** 2).sum())


def apart(folder: Path, other: Path) -> dict[str, float]:
    """How far apart the same places of the same photographs lie on two maps, at the median, in sides of the map."""
    first, second = read_placed(folder), read_placed(other)
    pairs = []
    for photo in np.intersect1d(first.photo, second.photo):
        own, others = np.flatnonzero(first.photo == photo), np.flatnonzero(second.photo == photo)
        distances = np.square(first.where[own][:, None] - second.where[others][None]).sum(-1)
        pairs += [(index, others[row.argmin()]) for index, row in zip(own, distances, strict=True)]
    rows, partners = np.array(pairs).T
    places, theirs = first.places[rows], second.places[partners]
    by_chance = np.random.default_rng(0).permutation(theirs)
    compared = {"as they are": (places, theirs), "by chance": (places, by_chance)}
    compared["after the best turn"] = (turned(places, theirs), theirs - theirs.mean(0))
    return {name: float(np.median(np.linalg.norm(a - b, axis=1))) for name, (a, b) in compared.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--apart", type=Path, nargs=2, metavar=("MAP", "OTHER"))
    args = parser.parse_args()
    if args.apart:
        found = apart(*args.apart)
        print(
            f"{args.apart[0]} and {args.apart[1]}: " + ", ".join(f"{name} {value:.3f}" for name, value in found.items())
        )
        return
    orientations, photos = gratings(COUNT)
    model = fv.load("patterns")
    options = {"per_photo": 4, "seed": 0, "tokens": False, "progress": False}
    for layer in LAYERS:
        with tempfile.TemporaryDirectory() as folder:
            found = sample_positions(model, layer, find_photos(photos), Path(folder) / "activations", **options)
        for name, layout in LAYOUTS.items():
            places = layout(found.values - found.center, LayoutSettings())
            degrees, explained = ring(places, orientations[found.photo], found.photo)
            print(f"gratings, {layer} by {name}: {degrees:.1f} degrees between neighbors, {explained:.2f} explained")
    for folder in args.folders:
        from sklearn.manifold import trustworthiness

        store = open_activations(folder / "activations")
        values = np.concatenate([store.read(part, 0, store.rows(part)) for part in (TRAIN, HELD_OUT)])
        measured = np.random.default_rng(0).choice(len(values), min(MEASURED, len(values)), replace=False)
        for name, layout in LAYOUTS.items():
            places = layout(values, LayoutSettings())
            score = trustworthiness(values[measured], places[measured], n_neighbors=NEIGHBORS, metric="cosine")
            print(f"{folder.name} by {name}: trustworthiness {score:.3f} of {len(values)} activations")


if __name__ == "__main__":
    main()
