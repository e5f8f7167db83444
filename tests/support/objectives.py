"""Every kind of objective, enumerated from the files of the package that define a term."""

import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType

import numpy as np

import featviz
from featviz.errors import FeatvizError
from featviz.model import IMAGE, OUTPUT
from featviz.objectives import Objective
from featviz.objectives.base import Term

ROOT = Path(featviz.__file__).parent
LAYER = "layer"
# One image's activation of each layout. Rows and tokens can be cut in halves.
LAYOUTS = {"space": (4, 5, 7), "tokens": (4, 7), "flat": (7,)}


def term_modules() -> list[ModuleType]:
    """The modules that define a kind of term, objectives and penalties alike."""
    files = [path for path in sorted(ROOT.rglob("*.py")) if re.search(r"^class \w+\(\w*Term\)", path.read_text(), re.M)]
    names = [".".join(("featviz", *path.relative_to(ROOT).with_suffix("").parts)) for path in files]
    return [importlib.import_module(name) for name in names]


def term_classes(module: ModuleType) -> set[type[Term]]:
    """The kinds of terms that a module defines, without abstract ones."""
    classes = {
        value for value in vars(module).values() if isinstance(value, type) and value.__module__ == module.__name__
    }
    return {kind for kind in classes if issubclass(kind, Term) and dataclass_of(kind) and not inspect.isabstract(kind)}


def dataclass_of(kind: type) -> bool:
    return "__dataclass_fields__" in vars(kind)


MODULES = [module for module in term_modules() if term_classes(module)]
EXAMPLES = {name: build for module in MODULES for name, build in getattr(module, "EXAMPLES", {}).items()}


def example(name: str, layout: str = "space") -> Objective:
    """An objective of the kind, for a layer of the layout."""
    return EXAMPLES[name](LAYER, LAYOUTS[layout])


def layout_of(name: str) -> str:
    """The first layout whose activations the kind accepts."""
    for layout, shape in LAYOUTS.items():
        try:
            for term in example(name, layout).terms:
                term.check({LAYER: shape, OUTPUT: shape, IMAGE: shape})
        except FeatvizError:
            continue
        return layout
    raise AssertionError(f"the example `{name}` accepts no layout of {LAYOUTS}")


def draw(layout: str, *, count: int = 3, seed: int = 0) -> np.ndarray:
    """Random activations, (count, *positions, units)."""
    return np.random.default_rng(seed).normal(size=(count, *LAYOUTS[layout])).astype(np.float32)
