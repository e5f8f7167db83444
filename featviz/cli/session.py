"""What several commands share: finding a model, the compilation cache, and what counts as a wrong command."""

import contextlib
import gc
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from featviz.model import Model

weights_option = click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A file of the network's weights: safetensors, .pth, .caffemodel or .h5.",
)


class Stopped(click.ClickException):
    """The work was stopped by Ctrl-C, and what is said of that. The status is a shell's for a program that was."""

    exit_code = 130


def was_interrupted(error: BaseException) -> bool:
    """Whether a Ctrl-C is among an error's causes.

    JAX makes a ValueError of one that comes while it compares a program's metadata, and a framework may make anything.
    """
    at: list[BaseException | None] = [error]
    seen: set[int] = set()
    while at:
        each = at.pop()
        if isinstance(each, KeyboardInterrupt):
            return True
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            at += [each.__cause__, each.__context__]
    return False


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """A Ctrl-C within comes out as a KeyboardInterrupt, whatever it was made into on the way."""
    try:
        yield
    except Exception as error:
        if was_interrupted(error):
            raise KeyboardInterrupt from error
        raise


@contextlib.contextmanager
def wrong_command() -> Iterator[None]:
    """Errors within are the command's fault: exit status 2."""
    try:
        yield
    except FeatvizError as error:
        raise click.UsageError(str(error)) from error


classes_option = click.option(
    "--classes",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The names of the network's classes: a text file with one a line, or JSON.",
)


revision_option = click.option(
    "--revision", metavar="HASH", help="Of another recipe, size, steps or seed than the last.  [default: the last]"
)


def name_classes(model: "Model", path: Path) -> "Model":
    """The model with the names of its classes from a file: lines, a JSON list, or JSON's {"0": [id, name], ...}."""
    import dataclasses
    import json

    from featviz.errors import in_one_line

    try:
        text = path.read_text("utf-8")
        found = json.loads(text) if path.suffix.lower() == ".json" else text.splitlines()
        if isinstance(found, dict):
            found = [found[str(number)] for number in range(len(found))]
        names = tuple(each[-1] if isinstance(each, list) else each for each in found)
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise FeatvizError(f"--classes: `{path.name}` cannot be read: {in_one_line(error)}") from None
    if not all(isinstance(name, str) for name in names):
        raise FeatvizError(f"--classes: `{path.name}` holds what is no name; expected text")
    units = model.layers[-1].units
    if len(names) != units:
        raise FeatvizError(f"--classes: `{path.name}` has {len(names)} names; {model.name} has {units} classes")
    return dataclasses.replace(model, classes=names)


def keep_compiled() -> None:
    """Keeps compiled programs in the user's cache folder, so that a second run of a layer starts at once."""
    from featviz.common.compilation_cache import keep_compiled_in
    from featviz.common.user_cache import cache_folder

    # Tracing makes many objects that stay: collecting them over and over took a tenth of the start.
    gc.set_threshold(50_000, 20, 20)
    # RuntimeError: there is no home.
    with contextlib.suppress(RuntimeError):
        keep_compiled_in(cache_folder() / "xla")
