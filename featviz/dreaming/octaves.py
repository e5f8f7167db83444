"""Octaves: one photo at several sizes, from small to large, so that large shapes come before small ones."""

import numpy as np

from featviz.rendering.stages import resize

Size = tuple[int, int]

# More octaves than anyone wants: with a scale of nearly 1 a size may be that of the one before, for ever.
MOST = 64
# The shorter side of the smallest octave, of the network's training size: 4 octaves of 1.4 for 1024 x 575, as in 2015.
SMALLEST = 0.9


def octave_sizes(size: Size, *, scale: float, count: int) -> list[Size]:
    """(height, width) of each octave, the smallest first; each is the next one's over `scale`, rounded.

    >>> octave_sizes((575, 1024), scale=1.4, count=4)
    [(210, 373), (294, 522), (411, 731), (575, 1024)]
    """
    sizes = [size]
    for _ in range(count - 1):
        # As scipy.ndimage.zoom rounds.
        height, width = (round(side * (1.0 / scale)) for side in sizes[0])
        sizes.insert(0, (height, width))
    return sizes


def count_octaves(size: Size, trained: Size, *, scale: float) -> int:
    """As many octaves as keep the shorter side of the smallest at `SMALLEST` of the network's training size.

    >>> count_octaves((575, 1024), (224, 224), scale=1.4), count_octaves((100, 100), (224, 224), scale=1.4)
    (4, 1)
    """
    least, count = SMALLEST * min(trained), 1
    while count < MOST and min(octave_sizes(size, scale=scale, count=count + 1)[0]) >= least:
        count += 1
    return count


def shrink(photo: np.ndarray, sizes: list[Size]) -> list[np.ndarray]:
    """The photo, (height, width, ...), at each size, the smallest first: each is shrunk from the next larger one."""
    octaves = [photo]
    for size in reversed(sizes[:-1]):
        octaves.insert(0, resize(octaves[0], size, axis=0))
    return octaves
