"""What penalties are made of: terms of the image, and their words on the command line."""

from collections.abc import Callable

from featviz.model import IMAGE
from featviz.objectives.base import Term
from featviz.objectives.objective import Objective

# The penalties by their words on the command line; `named` fills it.
PENALTIES: dict[str, Objective] = {}


class ImageTerm(Term):
    """A term of the image that the network sees, of any size, averaged over pixels and channels."""

    @property
    def layers(self) -> tuple[str, ...]:
        return (IMAGE,)


def named(word: str) -> Callable[[Callable[[], Objective]], None]:
    """Gives a penalty with its defaults a word on the command line: `--penalty WORD=WEIGHT`.

    >>> PENALTIES["tv"].label
    'total variation'
    """

    def add(factory: Callable[[], Objective]) -> None:
        PENALTIES[word] = factory()

    return add
