"""The reference of the Python interface, a page a room, written from the public names when the site is built."""

import importlib
import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from sphinx.application import Sphinx

import featviz as fv

CODE = re.compile(r"(``[^`]*``|`[^`]*`)")


def write_pages(app: Sphinx) -> None:
    """Writes `api/index.md` and a page for each room that has public names."""
    folder = Path(app.srcdir) / "api"
    folder.mkdir(exist_ok=True)
    rooms = rooms_of_names()
    pages = {room: room_page(room, names) for room, names in rooms.items()}
    titles = "\n".join(
        f"| [{room}]({room}.md) | {', '.join(f'`{n}`' for n in names)} |" for room, names in rooms.items()
    )
    pages["index"] = (
        "# Python reference\n\nEvery name of `import featviz as fv`, by the part of the package that it belongs to.\n\n"
        f"| part | names |\n|---|---|\n{titles}\n\n```{{toctree}}\n:hidden:\n\n" + "\n".join(rooms) + "\n```\n"
    )
    for name, text in pages.items():
        path = folder / f"{name}.md"
        # A page that is as before keeps its time, so that it is not built anew.
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
    for path in folder.glob("*.md"):
        if path.stem not in pages:
            path.unlink()


def rooms_of_names() -> dict[str, list[str]]:
    """Room -> public names: of the face of the package, then of rooms that are names of the face themselves."""
    rooms: dict[str, list[str]] = {}
    for name in fv.__all__:
        value = getattr(fv, name)
        if inspect.ismodule(value):
            within = [each for each in getattr(value, "__all__", ()) if each not in fv.__all__]
            rooms.setdefault(name, []).extend(f"{name}.{each}" for each in within)
        elif not name.startswith("__"):
            rooms.setdefault(value.__module__.split(".")[1], []).append(name)
    return {room: names for room, names in sorted(rooms.items()) if names}


def room_page(room: str, names: list[str]) -> str:
    """The page of a room: what it is about, and each of its public names."""
    module: ModuleType = importlib.import_module(f"featviz.{room}")
    intro = (inspect.getdoc(module) or "").split("\n\n")[0].replace("\n", " ")
    blocks = [_block(name) for name in names]
    return f"# {room}\n\n{intro}\n\n```{{eval-rst}}\n.. currentmodule:: featviz\n\n" + "\n".join(blocks) + "\n```\n"


def _block(name: str) -> str:
    value = fv
    for part in name.split("."):
        value = getattr(value, part)
    if inspect.isclass(value):
        return f".. autoclass:: featviz.{name}\n   :members:\n"
    if callable(value):
        return f".. autofunction:: featviz.{name}\n"
    if isinstance(value, fv.Recipe):
        return f".. py:data:: featviz.{name}\n\n   {fv.citation(value).splitlines()[0]}\n"
    if isinstance(value, Mapping):
        return f".. py:data:: featviz.{name}\n\n   By name: {', '.join(f'``{key}``' for key in value)}.\n"
    return f".. py:data:: featviz.{name}\n"


def escape(app: Sphinx, kind: str, name: str, value: object, options: object, lines: list[str]) -> None:
    """Keeps formulas as they are written: `*` and `|` mean nothing in docstrings, outside of code."""
    example = False
    for index, line in enumerate(lines):
        # An example ends with an empty line.
        example = bool(line.strip()) and (example or line.lstrip().startswith(">>>"))
        if not example:
            lines[index] = "".join(
                part if part.startswith("`") else re.sub(r"([*|])", r"\\\1", part) for part in CODE.split(line)
            )
    if kind in ("property", "attribute", "data") and lines:
        # What stands before a colon is no type.
        kept[name] = lines[:]
        lines[:] = [""]


def restore(app: Sphinx, kind: str, name: str, value: object, options: object, lines: list[str]) -> None:
    """Puts back what `escape` kept from being read as a type and its description."""
    if name in kept:
        lines[:] = kept.pop(name)


# Docstrings of attributes, from `escape` to `restore`.
kept: dict[str, list[str]] = {}


def setup(app: Sphinx) -> dict[str, bool]:
    """Before the docstrings' sections are read, and after."""
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-docstring", escape, priority=100)
    app.connect("autodoc-process-docstring", restore, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
