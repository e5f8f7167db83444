"""Rooms of interchangeable pieces: one import line lists a piece, and everything else follows from it."""

import inspect
from collections.abc import Callable, MutableMapping
from typing import Any, TypeVar, cast

T = TypeVar("T")


def list_pieces(namespace: MutableMapping[str, Any], base: Callable[..., T]) -> tuple[type[T], ...]:
    """Lists the pieces that a module has imported: the concrete subclasses of `base`, in the order of the imports.

    Args:
      namespace: the module's `globals()`.
      base: the abstract class of the pieces.

    >>> class Shape: ...
    >>> class Square(Shape): ...
    >>> list_pieces({"Shape": Shape, "Square": Square, "other": 3}, Shape)
    (<class 'featviz.common.pieces.Square'>,)
    """
    abstract = cast(type, base)
    classes = [value for value in namespace.values() if inspect.isclass(value) and issubclass(value, abstract)]
    return tuple(kind for kind in cast(list[type[T]], classes) if kind is not base and not inspect.isabstract(kind))


def export_imports(namespace: MutableMapping[str, Any]) -> None:
    """Sets a package's `__all__` to every public name that it has imported from its own modules.

    It is set at run time, not written as an assignment, so that type checkers take each `import X as X` as exported.

    Args:
      namespace: the package's `globals()`.

    >>> package = {"__name__": "featviz.common", "pieces": export_imports, "_hidden": 1, "cast": cast, "LIMIT": 3}
    >>> export_imports(package)
    >>> package["__all__"]
    ['pieces', 'LIMIT']
    """

    def is_foreign(value: Any) -> bool:
        defined = inspect.isclass(value) or inspect.isfunction(value)
        return inspect.ismodule(value) or (defined and not value.__module__.startswith(namespace["__name__"]))

    namespace["__all__"] = [
        name for name, value in namespace.items() if not name.startswith("_") and not is_foreign(value)
    ]
