"""What the files of a picture are called, and the class that it is of."""

from featviz.model import Model
from featviz.objectives import Objective


def class_name(model: Model, objective: Objective) -> str:
    """The name, with its synonyms, of the class that an objective is of, where the model's classes have names; else "".

    >>> import featviz as fv
    >>> class_name(fv.load("patterns"), fv.logit(23)), class_name(fv.load("patterns"), fv.channel("conv1", 3))
    ('clockwise spiral', '')
    """
    index = objective.class_index
    return model.classes[index] if index is not None and 0 <= index < len(model.classes) else ""


def file_stem(objective: Objective, *, named: str = "") -> str:
    """A file name for an objective, without extension: its label with only safe characters, then the class's `named`.

    >>> from featviz.objectives import channel, logit
    >>> file_stem(channel("mixed/3x3", 7)), file_stem(-channel("mixed/3x3", 7))
    ('mixed-3x3-7', 'mixed-3x3-7-negative')
    >>> file_stem(logit(1), named="goldfish, Carassius auratus"), file_stem(-logit(1), named="goldfish")
    ('logit-1-goldfish', 'logit-1-goldfish-negative')
    """
    stem = "-".join(part for part in (_safe(objective.label) or "picture", _safe(named.partition(",")[0])[:40]) if part)
    stem += "-negative" if objective.label.startswith("-") else ""
    return stem if len(stem) <= 80 else f"{stem[:64]}-{objective.hash[:12]}"


def _safe(text: str) -> str:
    """The text with a - in place of what not every file system takes."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "._@^") else "-" for c in text).strip("-.")
