"""`load_dictionary`: a dictionary of any format, which is recognized by what a file holds."""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from featviz.dictionaries.dictionary import Dictionary
from featviz.dictionaries.dictionary_files import FORMAT, dictionary_of
from featviz.dictionaries.formats import (
    dictionary_learning_format,
    overcomplete_format,
    plain_arrays,
    sae_lens_format,
    saev_format,
)
from featviz.dictionaries.formats.contents import EXPECTED, Contents, read_contents
from featviz.dictionaries.formats.hints import Hints
from featviz.dictionaries.formats.hub import fetch_dictionary
from featviz.dictionaries.normalizations import Normalization
from featviz.errors import FeatvizError, in_one_line
from featviz.zoo.weights.recorded_weights import PREFIX


class Format(NamedTuple):
    """One format: whether a file is of it, and how it is read."""

    recognizes: Callable[[Contents], bool]
    read: Callable[[Contents, Hints], Dictionary]


# The first that recognizes a file reads it.
FORMATS = tuple(
    Format(module.recognizes, module.read)
    for module in (saev_format, sae_lens_format, dictionary_learning_format, overcomplete_format, plain_arrays)
)


def load_dictionary(
    path: str | os.PathLike[str],
    *,
    kind: str | None = None,
    k: int | None = None,
    threshold: float | None = None,
    centered: bool | None = None,
    normalization: Normalization | None = None,
) -> Dictionary:
    """Reads a dictionary: of featviz, SAELens, saev, ViT-Prisma, overcomplete, dictionary_learning, or plain arrays.

    The format is recognized by what is in the file. Nothing in a file is executed, pickles are read as plain values.

    Args:
      path: a file, a folder, or `hf-hub:OWNER/REPOSITORY/FOLDER`, a repository of Hugging Face.
      kind: the kind of dictionary, such as `topk`, where the file does not say it; featviz's own files say this and the
        next three.
      k: how many latents a TopK keeps, likewise.
      threshold: of a BatchTopK, likewise.
      centered: whether the encoder subtracts the decoder's bias, in place of what the format says.
      normalization: of the activations before they are encoded, in place of what the file says.

    Returns:
      The dictionary. Its `record` says what it was fitted on, as far as the file does.

    Raises:
      FeatvizError: if there is no such file, or it is of an unknown kind, damaged, malicious or incomplete.

    >>> import tempfile, numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/centers.npz", kind="KMeans", cluster_centers=np.eye(2, 3))
    ...     load_dictionary(f"{folder}/centers.npz")
    <Dictionary k-means centers, 3 units, 2 latents>
    """
    hints = Hints(kind, k, threshold, centered, normalization)
    named = os.fspath(path)
    contents = read_contents(fetch_dictionary(named) if named.startswith(PREFIX) else named)
    own = contents.metadata.get("format", "").startswith(FORMAT.rpartition(" ")[0])
    found = _own(contents, hints) if own else _other(contents, hints)
    return replace(found, record=replace(found.record, file=named))


def _own(contents: Contents, hints: Hints) -> Dictionary:
    """That of a file of featviz, which says everything itself; a normalization may still replace its own."""
    said = contents.metadata["format"]
    if said != FORMAT:
        raise FeatvizError(f"`{contents.name}` is a `{said}`; expected `{FORMAT}`, or a later version of featviz")
    given = [name for name in ("kind", "k", "threshold", "centered") if getattr(hints, name) is not None]
    if given:
        raise FeatvizError(f"`{contents.name}` is of featviz and says this itself; expected no `{given[0]}`")
    found = dictionary_of(contents.metadata, contents.arrays, contents.name)
    if hints.normalization is None:
        return found
    try:
        return replace(found, normalization=hints.normalization).check()
    except FeatvizError as error:
        raise FeatvizError(f"`{contents.name}` cannot be used with this `normalization`: {error}") from None


def _other(contents: Contents, hints: Hints) -> Dictionary:
    """That of a file of another library."""
    try:
        chosen = next((each for each in FORMATS if each.recognizes(contents)), None)
        if chosen is None:
            raise FeatvizError(f"it holds no arrays; expected {EXPECTED}")
        return chosen.read(contents, hints).check()
    except FeatvizError as error:
        raise FeatvizError(f"`{contents.name}` cannot be used as a dictionary: {error}") from None
    except Exception as error:  # arrays of other shapes, texts in place of numbers
        raise FeatvizError(f"`{contents.name}` says nothing usable of its dictionary: {in_one_line(error)}") from None
