"""Where the images of a batch are in a value, and what becomes of the place in a reshape."""

from collections.abc import Sequence
from math import prod
from typing import NamedTuple


class Batch(NamedTuple):
    """Where the images are in a value: on `axis`, where those of one image are `inner` at a time.

    Windows or heads that are folded into the batch, (images * windows, tokens, units), have `inner` windows.
    """

    axis: int
    inner: int = 1


class ImagesMeetError(Exception):
    """A step may mix images; `certain` if it does."""

    def __init__(self, *, certain: bool = False) -> None:
        super().__init__()
        self.certain = certain


def reshaped(old: Sequence[int], new: Sequence[int], place: Batch, count: int) -> Batch:
    """The place of `count` images after a reshape.

    Raises:
        ImagesMeetError: If elements of several images come to lie side by side.

    >>> reshaped((2, 6, 4), (12, 4), Batch(0), 2)
    Batch(axis=0, inner=6)
    >>> reshaped((12, 4), (2, 3, 8), Batch(0, 6), 2)
    Batch(axis=0, inner=1)
    """
    stride = prod(old[place.axis + 1 :]) * place.inner
    for axis, size in enumerate(new):
        below = prod(new[axis + 1 :])
        if stride % below == 0 and below * size % (stride * count) == 0:
            return Batch(axis, stride // below)
    raise ImagesMeetError
