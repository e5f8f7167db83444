"""One unit under one regularizer at a time, beside the unit without any.

    python experiments/regularizers.py --weights googlenet.safetensors -o sheet.png [--target inception_4c:103]

Without --weights, a unit of the built-in network. All pictures take the same 128 steps of Adam from the same seed, on
raw pixels except for the parameterizations in the last row.

Hardware: two CPU cores. Time: 5 minutes. Expected: without regularizers, and with decay alone, high-frequency noise of
a very high score; smooth shapes with blur, total variation and the frequency penalty; repeated motifs with shifts and
scales; Fourier with transforms looks like the default recipe (docs/how-to-choose.md).
"""

import argparse
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt

import featviz as fv
from featviz.cli.targets import parse_target
from featviz.optimizers import SGD, Adam, Chain, Constant, Linear, Normalize, Optimizer
from featviz.parameterizations import Fourier, LaplacianPyramid, MultiResolution, RawPixels
from featviz.recipes import Recipe
from featviz.regularizers import (
    BilateralFilter,
    BlurGradient,
    BlurImage,
    ClipRange,
    ClipSmallNorms,
    Decay,
    GaussianNoise,
    NormalizeLaplacian,
    RandomAffine,
    RandomCrop,
    Roll,
    frequency_power,
    l2,
    total_variation,
)

STEP = Adam(0.02)
BARE = Recipe(parameterization=RawPixels(sd=0.05), optimizer=Chain((STEP, ClipRange())), steps=128)
SPREAD = RandomAffine(scales=(0.9, 1.1), degrees=(-10.0, 10.0), translation=8.0, uniform=True)


def by_rules(*rules: Optimizer) -> Recipe:
    """The bare recipe with step rules after Adam."""
    return replace(BARE, optimizer=Chain((STEP, *rules, ClipRange())))


def by_gradient(*rules: Optimizer) -> Recipe:
    """Rules on the gradient, then normalized steps of SGD, since Adam would undo the rules."""
    return replace(BARE, optimizer=Chain((*rules, Normalize(), SGD(0.02), ClipRange())))


ARMS = {
    "none": BARE,
    "robustness: roll 8": replace(BARE, transforms=(Roll(8),)),
    "robustness: turn, scale, shift": replace(BARE, transforms=(SPREAD,)),
    "robustness: crops, 4 a step": replace(BARE, transforms=(RandomCrop(0.3, 0.9),), samples=4),
    "robustness: noise .2 to 0": replace(BARE, transforms=(GaussianNoise(0.2, end_sd=0.0),)),
    "frequency: image blur 1 to .3": by_rules(BlurImage(Linear(1.0, 0.3))),
    "frequency: gradient blur 2": by_gradient(BlurGradient(Constant(2.0))),
    "frequency: total variation": replace(BARE, penalty=-2000.0 * total_variation()),
    "frequency: power penalty": replace(BARE, penalty=-20000.0 * frequency_power()),
    "frequency: Laplacian gradient": by_gradient(NormalizeLaplacian(4)),
    "frequency: bilateral every 4": by_rules(BilateralFilter(every=4)),
    "decay: L2": replace(BARE, penalty=-20000.0 * l2()),
    "decay: pixels, .02 a step": by_rules(Decay(0.02)),
    "decay: small norms, 50 %": by_rules(ClipSmallNorms(50.0)),
    "image: Fourier": Recipe(parameterization=Fourier(), optimizer=Adam(0.05), steps=128),
    "image: Laplacian pyramid": replace(BARE, parameterization=LaplacianPyramid(), optimizer=STEP),
    "image: stack of resolutions": replace(BARE, parameterization=MultiResolution(), optimizer=Adam(0.002)),
    "Fourier and transforms: default": fv.recipes.default,
}


def main() -> None:
    """Renders all pictures and draws the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights")
    parser.add_argument("--target")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("-o", "--out", type=Path, required=True)
    options = parser.parse_args()
    model = fv.load("googlenet", weights=options.weights) if options.weights else fv.load("patterns")
    (objective,) = parse_target(options.target or ("inception_4c:103" if options.weights else "mixed4a:3"), model)
    figure, axes = plt.subplots(3, 6, figsize=(11, 6.6), dpi=100)
    for axis, (name, recipe) in zip(axes.flat, ARMS.items(), strict=True):
        picture = fv.render(model, objective, recipe=recipe, size=options.size, progress=False)
        print(f"{name:34} score {picture.score:9.2f}", flush=True)
        axis.imshow(picture.to_uint8()[..., :3])
        axis.set_title(f"{name}\n{picture.score:.3g}", fontsize=7)
        axis.axis("off")
    figure.tight_layout(pad=0.4, h_pad=2.0)
    figure.savefig(options.out)


if __name__ == "__main__":
    main()
