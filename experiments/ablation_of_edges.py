"""Do expanded weights say what ablation does? Rank correlation of the two over the links of random units of GoogLeNet.

    python experiments/ablation_of_edges.py --units 10

Of each random unit that fires on photographs, twelve inputs from the strongest to the median one are ablated, each
alone, on eight photographs; the share of the unit's activation that is lost is compared with the signed weight times
the standard deviation of the input. Within units the rank correlation is averaged; the interval is a bootstrap over
units.

Hardware: two CPU cores. Time: five minutes. Expected: see docs/circuits.md.
"""

import argparse

import numpy as np
from data import FOLDER, network
from oriented_parts import spearman

import featviz as fv
from featviz.attribution.explained_photos import read_photos
from featviz.circuit_graphs.edge_effects import contributions, firing_photos, maximum_activations
from featviz.circuits.unit_std import unit_std

PAIRS = (("inception_3a", "inception_3b"), ("inception_4b", "inception_4c"))
INPUTS, PHOTOS, READ = 12, 8, 48


def interval(values: list[float]) -> tuple[float, float]:
    """The 95 % bootstrap interval of a mean."""
    draws = np.random.default_rng(0).choice(values, (2000, len(values))).mean(1)
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=10, help="units of each layer")
    options = parser.parse_args()
    model = fv.load("googlenet", weights=network("googlenet"))
    paths = sorted((FOLDER / "photos").glob("*.jpg"))
    images = np.stack([pixels for _, pixels in read_photos(paths[:: max(1, len(paths) // READ)], model)])
    layers = [name for pair in PAIRS for name in pair]
    std = unit_std(model, layers, images=images[:24])
    fired = maximum_activations(model, images, [target for _, target in PAIRS])
    for source, target in PAIRS:
        rng = np.random.default_rng(0)
        firing = np.flatnonzero((fired[target] > 0).sum(0) >= PHOTOS)
        chosen = rng.choice(firing, options.units, replace=False).tolist()
        strengths = fv.weights_between(model, source, target, units=chosen).strengths * std[source]
        found, signs, strongest = [], [], []
        for row, unit in zip(strengths, chosen, strict=True):
            order = np.argsort(-np.abs(row), kind="stable")[: len(row) // 2]
            # Half of them the strongest, half evenly from the rest of the stronger half.
            spread = np.linspace(INPUTS // 2, len(order) - 1, INPUTS - INPUTS // 2).round().astype(int)
            inputs = np.concatenate([order[: INPUTS // 2], order[spread]])
            shown = images[firing_photos(fired[target][:, unit], PHOTOS)]
            lost = contributions(model, shown, source, inputs.tolist(), target, unit).mean(1)
            found.append(spearman(row[inputs], lost))
            moved = np.abs(lost[: INPUTS // 2]) > 1e-5
            agrees = (np.sign(lost) == np.sign(row[inputs]))[: INPUTS // 2][moved]
            signs.append(float(agrees.mean()) if moved.any() else 0.5)
            weak = max(float(np.abs(lost[INPUTS // 2 :]).mean()), 1e-9)
            strongest.append(float(np.abs(lost[: INPUTS // 2]).mean()) / weak)
        low, high = interval(found)
        print(f"{source} -> {target}, {len(chosen)} units", flush=True)
        print(f"  rank correlation within units {np.mean(found):.2f} [{low:.2f}, {high:.2f}]")
        print(f"  of the six strongest links {np.mean(signs):.0%} change the unit as the sign of the weight says")
        print(f"  they change it {np.median(strongest):.1f} times as much as the others at the median", flush=True)


if __name__ == "__main__":
    main()
