"""The activations that speak for a class, and for one class rather than another."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from featviz.activation_atlas.map_classes import MapClasses
from featviz.activation_atlas.map_positions import MapPositions
from featviz.activation_atlas.map_subject import MapSubject
from featviz.errors import FeatvizError

# Beside those that speak for a class more than for any other, those with the largest attributions (Carter et al. 2019).
MOST = 2000
# Fewer make no map.
FEWEST = 20
# Differences beyond this percentile lie on the edge.
CLIP = 99.0


class MapContents(NamedTuple):
    """The activations of a map with their classes; `classes` is None for a network without them.

    Args:
      positions: the activations.
      classes: their classes.
      contrast: of each activation, from 0 for one class to 1 for the other; or None.
    """

    positions: MapPositions
    classes: MapClasses | None
    contrast: Float[np.ndarray, " rows"] | None = None


def select_activations(contents: MapContents, subject: MapSubject, *, names: dict[int, str]) -> MapContents:
    """Those of a layer's activations that a map is of.

    Args:
      contents: the layer's.
      subject: all of them, or those of a class or two.
      names: of the classes, for errors.

    Raises:
      FeatvizError: for a class of a network without classes, or one that hardly any activation speaks for.
    """
    if subject.of is None:
        return contents
    classes = contents.classes
    if classes is None:
        raise FeatvizError("`of` is a class, and the network has no classes behind the layer; expected none")
    photo = contents.positions.photo
    chosen = [index for index in (subject.of, subject.against) if index is not None]
    parts = [class_rows(classes, photo, index) for index in chosen]
    for index, rows in zip(chosen, parts, strict=True):
        if len(rows) < FEWEST:
            found = f"{len(rows)} activation{'s' * (len(rows) != 1)}"
            raise FeatvizError(
                f"`photos`: {found} speak for `{names[index]}`; expected {FEWEST} or more, from photos that have it "
                "among their 5 largest outputs"
            )
    rows = np.unique(np.concatenate(parts))
    contrast = None
    if subject.against is not None:
        first, second = (class_shares(classes, photo, index)[rows] for index in chosen)
        contrast = to_contrast(first - second)
    positions = contents.positions
    return MapContents(
        positions._replace(values=positions.values[rows], photo=photo[rows], position=positions.position[rows]),
        MapClasses(classes.classes, classes.scores[rows]),
        contrast,
    )


def class_shares(found: MapClasses, photo: Int[np.ndarray, " rows"], index: int) -> Float[np.ndarray, " rows"]:
    """What each activation adds to a class; 0 where it is not among its photograph's largest outputs.

    >>> found = MapClasses(np.array([[3, 5], [5, 2]]), np.array([[1.0, 0.5], [2.0, -1.0]]))
    >>> class_shares(found, np.array([0, 1]), 2).tolist()
    [0.0, -1.0]
    """
    return np.where(found.classes[photo] == index, found.scores, 0).sum(1)


def class_rows(found: MapClasses, photo: Int[np.ndarray, " rows"], index: int) -> Int[np.ndarray, " chosen"]:
    """The activations that add more to a class than to any other, and those that add most to it.

    >>> found = MapClasses(np.array([[3, 5], [5, 2]]), np.array([[1.0, 0.5], [2.0, -1.0]]))
    >>> class_rows(found, np.array([0, 1]), 3).tolist(), class_rows(found, np.array([0, 1]), 5).tolist()
    ([0], [0, 1])
    """
    shares = class_shares(found, photo, index)
    strongest = found.classes[photo, found.scores.argmax(1)] == index
    largest = np.zeros(len(shares), bool)
    largest[np.argsort(-shares, kind="stable")[:MOST]] = True
    return np.flatnonzero((strongest | largest) & (shares > 0))


def to_contrast(differences: Float[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
    """Differences of two classes' attributions on a scale from 0 to 1, where neither is at .5.

    >>> to_contrast(np.array([-2.0, 0.0, 1.0])).round(2).tolist()
    [0.0, 0.5, 0.75]
    """
    limit = max(float(np.percentile(np.abs(differences), CLIP)), 1e-12)
    return (0.5 + 0.5 * np.clip(differences / limit, -1, 1)).astype(np.float32)
