"""What is known of a survey's photographs, whatever the layer: features, the network's outputs, classes."""

from collections import Counter, OrderedDict
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8

from featviz.common.kept import kept_with_owner
from featviz.evaluation.features import Features
from featviz.evaluation.output_changes import network_outputs
from featviz.surveys.firing_maps import evenly
from featviz.surveys.survey import Survey

# Photographs that scores of all pairs are computed over, and that are kept in memory.
SAMPLE, KEPT_PHOTOS = 4096, 512


class PhotoCache:
    """A survey's photographs, those used last in memory: neighbors among units share many."""

    def __init__(self, survey: Survey) -> None:
        self.survey = survey
        self._kept: OrderedDict[int, UInt8[np.ndarray, "h w c"]] = OrderedDict()

    def __call__(self, index: int) -> UInt8[np.ndarray, "h w c"]:
        """The photograph as the network gets it."""
        if index not in self._kept:
            self._kept[index] = self.survey.photo(index)
            if len(self._kept) > KEPT_PHOTOS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(index)
        return self._kept[index]


@kept_with_owner(maxsize=1)
def sampled_embeddings(survey: Survey, features: Features) -> Float[np.ndarray, "photos width"]:
    """The features of the sampled photographs, which are the same for every layer."""
    sample = evenly(np.flatnonzero(survey.readable), SAMPLE)
    return features(survey.photo(index) for index in sample.tolist())


@kept_with_owner(maxsize=1)
def all_outputs(survey: Survey) -> dict[int, Float[np.ndarray, " outputs"]]:
    """The network's outputs on all photographs, which serve every layer."""
    return photo_outputs(survey, np.flatnonzero(survey.readable).tolist())


def photo_outputs(survey: Survey, indices: list[int]) -> dict[int, Float[np.ndarray, " outputs"]]:
    """The network's outputs on some photographs, by index."""
    if not indices:
        return {}
    found = network_outputs(survey.model, (survey.photo(index) for index in indices))
    return dict(zip(indices, found, strict=True))


def photo_classes(
    survey: Survey, folders: tuple[str, ...] | None, outputs: dict[int, Float[np.ndarray, " outputs"]]
) -> tuple[dict[int, str], str]:
    """The class of each photograph by its index, and where it comes from."""
    if folders is not None:
        return dict(enumerate(folders)), "folders"
    names = short_names(survey.model.classes)
    known = {index: names[int(values.argmax())] for index, values in outputs.items() if len(names) == len(values)}
    return known, "the network"


def short_names(classes: Sequence[str]) -> list[str]:
    """The first name of each class; all its names where another has the same first, and else its index too.

    ImageNet has two cranes.

    >>> short_names(["crane", "tabby, tabby cat", "crane", "grating, low", "grating, high"])
    ['crane (0)', 'tabby', 'crane (2)', 'grating, low', 'grating, high']
    """
    first = [name.partition(",")[0] for name in classes]
    counts, wholes = Counter(first), Counter(classes)
    return [
        short if counts[short] == 1 else name if wholes[name] == 1 else f"{name} ({index})"
        for index, (short, name) in enumerate(zip(first, classes, strict=True))
    ]
