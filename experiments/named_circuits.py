"""Three named circuits of the literature, found by their weights in GoogLeNet: curves, high-low frequencies, cars.

    python experiments/named_circuits.py -o named_circuits/

The Circuits articles number the units of another training (InceptionV1 of TensorFlow), so that here they are sought by
what the articles say of their weights, and checked by what the units do:

- curve detectors (inception_3b): excited along an arc by the units of 3a that look for lines along its tangents, and
  inhibited by those for the arc bent the other way. Checked on drawn arcs of radius 37 px at 16 directions;
- high-low frequency detectors (inception_3b): excited by units of 3a for high frequencies on one side and for low ones
  on the other. Checked on boundaries between a fine and a coarse texture at 16 directions;
- a car detector (inception_4c): the unit that photographs of cars excite most among all. In the articles its circuit
  has windows above and wheels below; here the unit lies in the pooled branch, whose weights have no places.

Writes a page of each circuit into the folder, its links tested on the photographs, and prints the figures.

Hardware: two CPU cores. Time: about ten minutes. Expected: see docs/circuits.md.
"""

import argparse
from pathlib import Path

import numpy as np
from data import FOLDER, network, photo_crops
from oriented_parts import DIRECTIONS, agreement, along_arc, arc, gray, grid, orientations, responses, spearman

import featviz as fv
from featviz.attribution.explained_photos import read_photos
from featviz.circuit_graphs.edge_effects import maximum_activations
from featviz.circuits.unit_std import unit_std
from featviz.common.compilation_cache import use_compilation_cache

SIZE = 112
STEP = 8.0
CARS = (436, 468, 511, 609, 627, 656, 661, 717)


def texture_boundary(direction: float, *, phase: float) -> np.ndarray:
    """A fine texture on the side of a direction, a coarse one on the other."""
    x, y = grid(SIZE)
    high = np.sin(2 * np.pi * x / 5 + phase) * np.sin(2 * np.pi * y / 5)
    low = np.sin(2 * np.pi * x / 40 + phase) * np.sin(2 * np.pi * y / 40 + phase)
    side = 1 / (1 + np.exp(-(x * np.cos(direction) + y * np.sin(direction)) / 2))
    return gray(side * high + (1 - side) * low, dark=False)


def curves(model: fv.Model, maps: np.ndarray, std: np.ndarray) -> list[int]:
    """Units found by the weights of arcs, the best first."""
    angle, selective = orientations(model, "inception_3a", size=SIZE, periods=(8.0, 14.0))
    scores = np.stack([agreement(maps * std, angle, selective, along_arc(d), step=STEP) for d in DIRECTIONS])
    # Of one arc against the same bent the other way.
    bent = (scores - np.roll(scores, 8, 0)) / np.linalg.norm((maps * std).reshape(len(maps), -1), axis=1)
    images = np.stack([arc(SIZE, d, dark=dark) for dark in (False, True) for d in DIRECTIONS])
    found = responses(model, "inception_3b", images, middle=True).reshape(2, 16, -1).max(0)
    straight = np.stack([arc(SIZE, d, dark=dark, radius=1e4) for dark in (False, True) for d in DIRECTIONS[:8]])
    lines = responses(model, "inception_3b", straight, middle=True).max(0)
    return report("curves", bent, found, lines, "straight lines")


def report(name: str, weights: np.ndarray, found: np.ndarray, others: np.ndarray, what: str) -> list[int]:
    """Prints how the responses to 16 directions, (16, units), agree with the weights; units by weights, best first."""
    largest = np.maximum(found.max(0), 1e-9)
    opposite = (found - np.roll(found, 8, 0)) / largest
    index, beyond = opposite.max(0), 1 - others / largest
    top = [int(unit) for unit in np.argsort(-weights.max(0), kind="stable")[:10]]
    off = np.abs(weights.argmax(0) - found.argmax(0)) % 16
    off = np.minimum(off, 16 - off) * 22.5
    active = largest > np.median(largest)
    rng, chosen = np.random.default_rng(0), np.flatnonzero(active)
    draws = [rng.choice(chosen, len(chosen)) for _ in range(200)]
    low, high = np.percentile([spearman(weights[:, d].ravel(), opposite[:, d].ravel()) for d in draws], [2.5, 97.5])
    middle = spearman(weights[:, active].ravel(), opposite[:, active].ravel())
    print(f"{name}: the ten units with the largest weights of that form, {top}")
    print(f"  the responses' direction is within 45 degrees of the weights' for {(off[top] <= 45).sum()} (by chance 3)")
    print(f"  degrees apart {off[top].tolist()}")
    print(f"  share lost at the opposite direction {np.round(index[top], 2).tolist()}")
    print(f"  share lost on {what} {np.round(beyond[top], 2).tolist()}, median of all {np.median(beyond[active]):.2f}")
    print(f"  rank correlation over units and directions {middle:.2f} [{low:.2f}, {high:.2f}], {active.sum()} units")
    return [unit for unit in top if off[unit] <= 45 and index[unit] > 0.3 and beyond[unit] > 0.1] or top


def high_low(model: fv.Model, maps: np.ndarray, std: np.ndarray) -> list[int]:
    """Units found by a dipole of frequencies in their weights, the best first."""
    x, y = grid(SIZE)
    fine, coarse = (
        np.stack([gray(np.sin(2 * np.pi * x / p + a) * np.sin(2 * np.pi * y / p + a), dark=False) for a in (0.0, 1.0)])
        for p in (5, 40)
    )
    high, low = (responses(model, "inception_3a", images).mean(0) for images in (fine, coarse))
    frequency = (high - low) / np.maximum(high + low, 1e-9)
    planes = (maps * std) @ frequency
    rows, columns = np.mgrid[: maps.shape[1], : maps.shape[2]] - (np.array(maps.shape[1:3])[:, None, None] - 1) / 2
    scores = np.stack([(planes * (columns * np.cos(d) + rows * np.sin(d))).sum((1, 2)) for d in DIRECTIONS])
    scores = scores / np.linalg.norm((maps * std).reshape(len(maps), -1), axis=1)
    images = np.stack([texture_boundary(d, phase=phase) for phase in (0.0, 1.5) for d in DIRECTIONS])
    found = responses(model, "inception_3b", images, middle=True).reshape(2, 16, -1).mean(0)
    even = responses(model, "inception_3b", np.concatenate([fine, coarse]), middle=True).max(0)
    return report("high-low frequencies", scores, found, even, "one texture everywhere")


def car(model: fv.Model) -> int:
    """The unit of inception_4c that photographs of cars excite most beyond others."""
    paths = sorted((FOLDER / "photos").glob("*.jpg"))
    # The cars, and every twelfth other photograph.
    is_car = np.array([int(path.name[:4]) in CARS for path in paths])
    chosen = is_car | (np.arange(len(paths)) % 12 == 0)
    images = np.stack([pixels for _, pixels in read_photos([paths[i] for i in np.flatnonzero(chosen)], model)])
    found = maximum_activations(model, images, ["inception_4c"])["inception_4c"]
    cars = is_car[chosen]
    difference = (found[cars].mean(0) - found[~cars].mean(0)) / (found.std(0) + 1e-9)
    top = np.argsort(-difference)[:5]
    print("cars: units of inception_4c", top.tolist(), "standard deviations above others", np.round(difference[top], 2))
    return int(top[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, default=Path("named_circuits"))
    parser.add_argument("--no-pictures", action="store_true", help="write pages without pictures")
    options = parser.parse_args()
    use_compilation_cache()
    model = fv.load("googlenet", weights=network("googlenet"))
    photos = sorted((FOLDER / "photos").glob("*.jpg"))
    std = unit_std(model, ["inception_3a"], images=next(photo_crops(224, batch=16)))["inception_3a"]
    maps = fv.weights_between(model, "inception_3a", "inception_3b").maps
    named = [
        ("curve", "inception_3b", curves(model, maps, std)[0]),
        ("high-low", "inception_3b", high_low(model, maps, std)[0]),
        ("car", "inception_4c", car(model)),
    ]
    for name, layer, unit in named:
        found = fv.circuit(
            model,
            layer,
            unit,
            out=options.out / name,
            depth=1,
            inputs=8,
            photos=photos[::8],
            draw=not options.no_pictures,
            progress=False,
        )
        verdicts = [edge.verdict.value for edge in found.edges]
        print(name, found.root.label, "confirmed", verdicts.count("confirmed"), "of", len(verdicts))
        for edge in found.edges:
            rows = np.arange(edge.map.shape[0]) - (edge.map.shape[0] - 1) / 2
            height = float(
                (np.maximum(edge.map, 0).sum(1) * rows).sum() / max(float(np.maximum(edge.map, 0).sum()), 1e-9)
            )
            effect = edge.effect
            said = "" if effect is None else f"{effect.contribution:+.3f} [{effect.low:+.3f}, {effect.high:+.3f}]"
            print(f"  {edge.source.label} {edge.strength:+.2f} {edge.verdict.value} {said} excites {height:+.2f} below")


if __name__ == "__main__":
    main()
