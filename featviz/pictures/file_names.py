"""The names of a picture's files, and the class that it is about."""

from collections.abc import Sequence

from featviz.common.safe_names import distinct_names
from featviz.model import Model
from featviz.objectives import Objective


def class_name(model: Model, objective: Objective) -> str:
    """The name, with its synonyms, of the class that an objective is about; "" if it is about none, or none has a name.

    >>> import featviz as fv
    >>> class_name(fv.load("patterns"), fv.logit(23)), class_name(fv.load("patterns"), fv.channel("conv1", 3))
    ('clockwise spiral', '')
    """
    index = objective.class_index
    return model.classes[index] if index is not None and 0 <= index < len(model.classes) else ""


def file_stem(objective: Objective, *, class_label: str = "") -> str:
    """A file name for an objective, without extension: its label in safe characters, then the first name of its class.

    >>> from featviz.objectives import channel, logit
    >>> file_stem(channel("mixed/3x3", 7)), file_stem(-channel("mixed/3x3", 7))
    ('mixed-3x3-7', 'mixed-3x3-7-negative')
    >>> file_stem(logit(1), class_label="goldfish, Carassius auratus"), file_stem(-logit(1), class_label="goldfish")
    ('logit-1-goldfish', 'logit-1-goldfish-negative')
    """
    stem = "-".join(
        part for part in (_safe(objective.label) or "picture", _safe(class_label.partition(",")[0])[:40]) if part
    )
    stem += "-negative" if objective.label.startswith("-") else ""
    return stem if len(stem) <= 80 else f"{stem[:64]}-{objective.hash[:12]}"


def file_stems(model: Model, objectives: Sequence[Objective], *, classes: bool = True) -> list[str]:
    """The file names of a network's objectives (`file_stem`), with the names of their classes.

    Layers whose names differ in case alone get the objective's hash, so that their files are different ones on disks
    that ignore case too.
    """
    names = distinct_names(layer.name for layer in model.layers)
    stems = []
    for objective in objectives:
        stem = file_stem(objective, class_label=class_name(model, objective) if classes else "")
        alone = all(names.get(layer, layer) == layer for layer in objective.layers)
        stems.append(stem if alone else f"{stem}-{objective.hash[:12]}")
    return stems


def _safe(text: str) -> str:
    """The text with a - in place of each character that some file system refuses."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "._@^") else "-" for c in text).strip("-.")
