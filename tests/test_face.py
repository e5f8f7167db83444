"""The public names of `fv`: each is listed once, arrives without an import, and stays what it is."""

import configparser
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

import featviz

STUB = Path(featviz.__file__).with_suffix(".pyi")
LINES = [line.split() for line in STUB.read_text("utf-8").splitlines() if line.startswith("from ")]
ROOMS = ["attribution", "objectives", "optimizers", "parameterizations", "priors", "recipes", "regularizers"]

# Prints the public names that are modules, after all modules of the package have been imported.
IMPORT_ALL = """
import importlib, pkgutil, sys, types
import featviz as fv

names = sorted(m.name for m in pkgutil.walk_packages(fv.__path__, "featviz.", onerror=lambda name: None))
for name in reversed(names):
    if name != "featviz.__main__":
        importlib.import_module(name)
print(*sorted(name for name in fv.__all__ if isinstance(getattr(fv, name), types.ModuleType)))
"""


def test_each_name_is_listed_once_and_as_type_checkers_want_it():
    names = [words[-1] for words in LINES]
    assert len(set(names)) == len(names) and names == featviz.__all__
    # `import name as name` is what makes a name of a stub public.
    assert all(words == ["from", words[1], "import", words[-1], "as", words[-1]] for words in LINES)


def test_the_list_is_part_of_what_is_installed():
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[1] / "setup.cfg")
    patterns = setup["options.package_data"]["featviz"].replace(",", " ").split()
    for name in (STUB.name, "py.typed"):
        assert (STUB.parent / name).is_file() and any(fnmatch(name, pattern) for pattern in patterns)


def test_functions_stay_functions_after_every_module_is_imported():
    # The end is the same in every order: a module, once imported, is an attribute of its package.
    result = subprocess.run([sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ROOMS


def test_rooms_are_attributes_without_an_import():
    code = f"import featviz as fv; print(*(getattr(fv, room).__name__ for room in {ROOMS!r}))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == [f"featviz.{room}" for room in ROOMS]


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module `featviz` has no attribute `rendr`"):
        featviz.rendr  # noqa: B018
