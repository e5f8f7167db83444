"""What the tests of evidence share: photographs of blobs, pictures of units, and random arrays for the figures."""

import numpy as np
from PIL import Image

from featviz.ascent.outcome import Outcome
from featviz.evaluation.figures import PathArrays, UnitArrays
from featviz.pictures.picture import Picture

LAYER = "mixed3b"


def blobs(rng: np.random.Generator) -> np.ndarray:
    """A photograph of blobs of one scale, so that photographs differ in what excites units."""
    scale = int(rng.choice([4, 8, 16, 32]))
    small = rng.integers(0, 256, (64 // scale, 64 // scale, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((64, 64), Image.Resampling.BICUBIC))


def picture_of(pixels: np.ndarray, unit: int) -> Picture:
    return Picture(pixels.astype(np.float32) / 255, 1.0, Outcome.OUT_OF_STEPS, np.zeros(1), {"name": f"{LAYER}:{unit}"})


def random_arrays(rng: np.random.Generator, *, constant: bool = False) -> UnitArrays:
    """Arrays of a unit of random sizes; `constant` ones of a unit that never changes."""
    pictures, units, features = (int(rng.integers(low, high)) for low, high in ((1, 4), (3, 9), (2, 9)))
    a, b, tops, others = (int(rng.integers(2, 12)) for _ in range(4))

    def array(*shape: int) -> np.ndarray:
        return np.ones(shape, np.float32) if constant else rng.normal(size=shape).astype(np.float32)

    def paths(count: int) -> PathArrays:
        return PathArrays(array(pictures, count), array(tops, count), array(others, count))

    return UnitArrays(
        unit=int(rng.integers(units)),
        activations=array(pictures, units),
        layer_mean=array(units),
        layer_sd=np.zeros(units) if constant else rng.random(units),
        activations_a=array(a),
        activations_b=array(b),
        baseline=float(rng.integers(2)),
        corrupted_pictures=array(pictures, 5),
        corrupted_photos=array(tops, 5),
        picture_crops=array(pictures, features),
        other_crops=tuple(array(1, features) for _ in range(rng.integers(3))),
        high_crops=array(4, features),
        next_high_crops=array(4, features),
        low_crops=array(4, features),
        top_crops=array(tops, features),
        pictures=array(pictures, features),
        photos_a=array(a, features),
        photos_b=array(b, features),
        paths_below=tuple(paths(int(rng.integers(2, 9))) for _ in range(rng.integers(3))),
        path_own=paths(units - 1),
    )
