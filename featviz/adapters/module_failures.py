"""In which of a network's modules it failed."""

from collections.abc import Iterator
from contextlib import contextmanager

from featviz.errors import FeatvizError, in_one_line


class ModuleError(RuntimeError):
    """What a module failed with, and which one it was."""


@contextmanager
def failing_in(path: str, module: object) -> Iterator[None]:
    """An exception within also says in which module it came up, the innermost one of those that say so.

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
    # Whatever a framework raises.
    except Exception as error:
        where = f"in `{path}`, a {type(module).__name__}: " if path else ""
        raise ModuleError(where + in_one_line(error)) from error
