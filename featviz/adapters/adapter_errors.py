"""What adapters raise: a framework that is missing, an input that is not specified, a module that fails."""

from collections.abc import Iterator
from contextlib import contextmanager

from featviz.errors import FeatvizError, in_one_line
from featviz.model import FRAMEWORKS, RANGES, InputSpec


def missing_framework(key: str, error: ImportError) -> FeatvizError:
    """The error for a framework that is not installed, by its key in `FRAMEWORKS`.

    >>> missing_framework("equinox", ImportError("No module named 'equinox'"))
    FeatvizError("`from_equinox` needs Equinox (No module named 'equinox'); pip install featviz[equinox]")
    """
    framework = FRAMEWORKS[key]
    return FeatvizError(
        f"`{framework.adapter}` needs {framework.title} ({in_one_line(error)}); {framework.install_hint}"
    )


def require_input(given: object, network: str, *, channels_first: bool) -> InputSpec:
    """The argument `input`, if it is an InputSpec.

    Args:
        given: What the caller was given.
        network: The network's name, for the message.
        channels_first: Whether networks of this framework take (n, c, h, w).

    Raises:
        FeatvizError: If it is something else; the message holds a specification to paste.

    >>> require_input(InputSpec(size=8), "Net", channels_first=False).size
    (8, 8)
    """
    if isinstance(given, InputSpec):
        return given
    first = "channels_first=True, " if channels_first else ""
    usual = f"mean={RANGES['imagenet']['mean']}, std={RANGES['imagenet']['std']}"
    raise FeatvizError(
        f"`input` is {given!r}; expected how {network} takes its images, for many that are trained on ImageNet "
        f"`input=fv.InputSpec(size=(224, 224), {first}{usual})`"
    )


class ModuleError(RuntimeError):
    """The failure of a network, with the module that it happened in."""


@contextmanager
def failing_in(path: str, module: object) -> Iterator[None]:
    """An exception inside is raised again with the module's name; of nested modules, with the innermost one's.

    >>> try:
    ...     with failing_in("block", {}), failing_in("block/conv", []):
    ...         raise ValueError("too\\nnarrow")
    ... except ModuleError as error:
    ...     str(error)
    'in `block/conv`, a list: too narrow'
    """
    try:
        yield
    except (ModuleError, FeatvizError):
        raise
    # A framework may raise anything.
    except Exception as error:
        location = f"in `{path}`, a {type(module).__name__}: " if path else ""
        raise ModuleError(location + in_one_line(error)) from error
