"""The classes of photographs, by the folders that they lie in, and how many a unit's photographs have."""

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath
from typing import NamedTuple

import numpy as np

from featviz.surveys.survey import Survey


class ClassCounts(NamedTuple):
    """The classes of some photographs.

    Attributes:
      counts: class -> how many of the photographs, most first.
      entropy: of their distribution in bits: 0 where all are of one class, log2(n) where each is of its own.
    """

    counts: tuple[tuple[str, int], ...]
    entropy: float


def folder_classes(survey: Survey) -> tuple[str, ...] | None:
    """The folder of each photograph of a survey, or None if they are not in several.

    >>> import featviz as fv, tempfile
    >>> photos = np.random.default_rng(0).random((4, 64, 64, 3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = fv.survey(fv.load("patterns"), photos, out=f"{folder}/s", layers=["conv1"], progress=False)
    ...     folder_classes(made) is None
    True
    """
    if "images" in survey.store.group:
        return None
    # Of photographs beside the other folders it is the survey's own.
    own = survey.folder.resolve().name
    # A photograph has several windows.
    folders = [PurePath(name).parent.name or own for name in survey.files for _ in range(survey.windows**2)]
    return tuple(folders[: len(survey)]) if len(set(folders)) > 1 else None


def count_classes(classes: Sequence[str]) -> ClassCounts:
    """The classes of some photographs, most frequent first, and their entropy.

    >>> count_classes(["cat", "dog", "cat", "dog"])
    ClassCounts(counts=(('cat', 2), ('dog', 2)), entropy=1.0)
    """
    counts = Counter(classes)
    shares = np.array(list(counts.values())) / max(len(classes), 1)
    entropy = float(-(shares * np.log2(shares)).sum()) if len(classes) else 0.0
    return ClassCounts(tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))), abs(entropy))
