"""featviz: what does this unit of a neural network look for? It answers with pictures, in JAX.

The public names stand in `__init__.pyi`, one a line. Each is imported when it is first used, so that `import featviz`
takes a few milliseconds and loads neither JAX nor NumPy.

>>> import featviz as fv
>>> fv.channel("inception_4c", 103).label
'inception_4c:103'
>>> fv.recipes.lucid.steps
512
"""

import importlib
import os
from typing import Any


def _read_face(path: str) -> dict[str, str]:
    """The module of each public name, from the lines `from MODULE import NAME as NAME` of a stub file."""
    with open(path, encoding="utf-8") as file:
        words = [line.split() for line in file if line.startswith("from ")]
    return {name: module for _, module, _, name, *_ in words}


_FACE = _read_face(os.path.join(os.path.dirname(__file__), "__init__.pyi"))
__all__ = list(_FACE)


def __getattr__(name: str) -> Any:
    if name not in _FACE:
        raise AttributeError(f"module `featviz` has no attribute `{name}`")
    # A room is a module of the package itself; any other name is an attribute of its module.
    if _FACE[name] == __name__:
        return importlib.import_module(f"{__name__}.{name}")
    return getattr(importlib.import_module(_FACE[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
