"""Known answers: what `patterns` looks for is known, since its training images were drawn; do its pictures show it?

    python experiments/known_answers.py -o known_answers/

Renders the logit of every class of the built-in network with the default recipe, and asks a second network, trained
from another seed on other images, which class each picture shows. Also the spectral peak of the gratings' pictures.

Hardware: two CPU cores. Time: one minute. Expected: the second network names at least 80 % of the classes;
the peak of every grating's picture lies in its class's band of frequencies and at its orientation.
"""

import argparse
from pathlib import Path

import jax
import numpy as np
from pattern_images import FREQUENCY_BANDS

import featviz as fv
from featviz.model import OUTPUT
from featviz.pictures.sheets import save_sheet

# Cycles a 64-pixel image below which lighting, not pattern, has its power.
LOWEST = 2.0
SECOND = Path(__file__).resolve().parents[1] / "tests" / "data" / "patterns_seed1.safetensors"


def class_pictures(model: fv.Model, *, size: int = 64, classes: list[int] | None = None) -> list[fv.Picture]:
    """A picture of each class's logit."""
    return fv.render(model, fv.logit(range(len(model.classes)) if classes is None else classes), size=size)


def recognized(pictures: list[fv.Picture], judge: fv.Model) -> np.ndarray:
    """The class that the judge sees in each picture, (pictures,)."""
    images = np.stack([picture.pixels for picture in pictures])
    return np.asarray(jax.jit(judge.apply)(judge.weights, images)[OUTPUT]).argmax(-1)


def spectral_peak(picture: fv.Picture) -> tuple[float, float]:
    """(cycles a 64-pixel image, degrees of the wave's direction from the x axis) of the strongest frequency.

    A vertical grating's wave runs along x: 0 degrees. Below 2 cycles there is light and shade, in every class.
    """
    gray = picture.pixels.mean(-1)
    window = np.outer(np.hanning(gray.shape[0]), np.hanning(gray.shape[1]))
    power = np.abs(np.fft.fft2((gray - gray.mean()) * window)) ** 2
    fy, fx = np.meshgrid(np.fft.fftfreq(gray.shape[0]), np.fft.fftfreq(gray.shape[1]), indexing="ij")
    cycles = 64 * np.hypot(fx, fy)
    at = np.unravel_index(np.where(cycles >= LOWEST, power, 0).argmax(), power.shape)
    return float(cycles[at]), float(np.degrees(np.arctan2(fy[at], fx[at])) % 180)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, default=Path("known_answers"))
    parser.add_argument("--size", type=int, default=64)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    model = fv.load("patterns")
    pictures = class_pictures(model, size=options.size)
    save_sheet(pictures, options.out / "classes.png")
    for name, judge in (("itself", model), ("the second network", fv.load("patterns", weights=SECOND))):
        seen = recognized(pictures, judge)
        wrong = [f"{model.classes[at]} (seen: {model.classes[s]})" for at, s in enumerate(seen) if s != at]
        print(f"{name} recognizes {np.mean(seen == np.arange(len(seen))):.1%} of {len(seen)}; not: {', '.join(wrong)}")
    for at, name in enumerate(model.classes):
        if "grating" in name:
            cycles, degrees = spectral_peak(pictures[at])
            print(f"{name}: peak at {cycles:.1f} cycles, {degrees:.0f} degrees")
    print(f"bands, cycles a 64-pixel image: {FREQUENCY_BANDS}")


if __name__ == "__main__":
    main()
