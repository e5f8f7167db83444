"""Pictures of classes whose appearance is known: do they show what the training images showed?

    python experiments/known_answers.py -o known_answers/

The training images of the built-in network `patterns` are drawn by rule, so the correct pictures are known. Renders the
logit of every class with the default recipe and classifies the pictures with a second network, trained from another
seed on other images. Prints the spectral peak of the pictures of gratings.

Hardware: two CPU cores. Time: one minute. Expected: the second network recognizes at least 80 % of the classes; the
spectral peak of every grating lies in the frequency band and at the orientation of its class.
"""

import argparse
from pathlib import Path

import jax
import numpy as np
from pattern_images import FREQUENCY_BANDS

import featviz as fv
from featviz.model import OUTPUT
from featviz.pictures.sheets import save_sheet

# Cycles per 64-pixel image; below it is the power of the lighting.
LOWEST = 2.0
SECOND = Path(__file__).resolve().parents[1] / "tests" / "data" / "patterns_seed1.safetensors"


def class_pictures(model: fv.Model, *, size: int = 64, classes: list[int] | None = None) -> list[fv.Picture]:
    """A picture of the logit of each class."""
    return fv.render(model, fv.logit(range(len(model.classes)) if classes is None else classes), size=size)


def recognized(pictures: list[fv.Picture], classifier: fv.Model) -> np.ndarray:
    """The class of each picture by the classifier, (pictures,)."""
    images = np.stack([picture.pixels for picture in pictures])
    return np.asarray(jax.jit(classifier.apply)(classifier.weights, images)[OUTPUT]).argmax(-1)


def spectral_peak(picture: fv.Picture) -> tuple[float, float]:
    """The strongest frequency: (cycles per 64-pixel image, degrees of the wave's direction from the x axis).

    A vertical grating has 0 degrees. Frequencies below 2 cycles are ignored: lighting in every class.
    """
    gray = picture.pixels.mean(-1)
    window = np.outer(np.hanning(gray.shape[0]), np.hanning(gray.shape[1]))
    power = np.abs(np.fft.fft2((gray - gray.mean()) * window)) ** 2
    fy, fx = np.meshgrid(np.fft.fftfreq(gray.shape[0]), np.fft.fftfreq(gray.shape[1]), indexing="ij")
    cycles = 64 * np.hypot(fx, fy)
    peak = np.unravel_index(np.where(cycles >= LOWEST, power, 0).argmax(), power.shape)
    return float(cycles[peak]), float(np.degrees(np.arctan2(fy[peak], fx[peak])) % 180)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, default=Path("known_answers"))
    parser.add_argument("--size", type=int, default=64)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    model = fv.load("patterns")
    pictures = class_pictures(model, size=options.size)
    save_sheet(pictures, options.out / "classes.png")
    for name, classifier in (("the network", model), ("the second network", fv.load("patterns", weights=SECOND))):
        guesses = recognized(pictures, classifier)
        wrong = [f"{model.classes[k]} (as {model.classes[guess]})" for k, guess in enumerate(guesses) if guess != k]
        share = np.mean(guesses == np.arange(len(guesses)))
        print(f"{name} recognizes {share:.1%} of {len(guesses)}; wrong: {', '.join(wrong) or 'none'}")
    for label, name in enumerate(model.classes):
        if "grating" in name:
            cycles, degrees = spectral_peak(pictures[label])
            print(f"{name}: peak at {cycles:.1f} cycles, {degrees:.0f} degrees")
    print(f"bands, cycles per 64-pixel image: {FREQUENCY_BANDS}")


if __name__ == "__main__":
    main()
