"""What a map is of: the whole layer, a class, or one class rather than another."""

from typing import NamedTuple

from featviz.atlas.surveyed_photos import short_names
from featviz.errors import FeatvizError
from featviz.model import Model, find_class


class MapSubject(NamedTuple):
    """What a map is of.

    Args:
      of: the index of a class, or None for the whole layer.
      against: that of another class, which is on the left where the first one is on the right; or None.
    """

    of: int | None = None
    against: int | None = None


def read_subject(model: Model, of: str | int | None, against: str | int | None) -> tuple[MapSubject, dict[int, str]]:
    """What a map is of, and the names of its classes, the first ones where they tell them apart.

    Raises:
      FeatvizError: for a class that the network lacks, the same class twice, or `against` alone.

    >>> import featviz as fv
    >>> read_subject(fv.load("patterns"), "leaf", 3)[0]
    MapSubject(of=56, against=3)
    """
    if of is None:
        if against is not None:
            raise FeatvizError("`against` is given without `of`; expected both, or `of` alone")
        return MapSubject(), {}
    indices = [
        find_class(model, name, each) for name, each in (("`of`", of), ("`against`", against)) if each is not None
    ]
    if len(set(indices)) < len(indices):
        raise FeatvizError(f"`against` is the class that `of` is, {indices[0]}; expected another one")
    named = len(model.classes) > max(indices)
    words = short_names(model.classes) if named else []
    return MapSubject(*indices), {index: words[index] if named else f"class {index}" for index in indices}
