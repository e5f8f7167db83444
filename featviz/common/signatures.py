"""Functions that pass their options on show them by name all the same, in `help` and where a notebook completes."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def spelled_out(options: type, **defaults: Any) -> Callable[[F], F]:
    """A decorator of functions of `**options: Unpack[Options]`: their signature has each key of that TypedDict.

    `defaults` are those that are not None.

    >>> from typing import TypedDict, Unpack
    >>> class Options(TypedDict, total=False):
    ...     size: int
    ...     seed: int
    >>> @spelled_out(Options, seed=0)
    ... def draw(name: str, **options: Unpack[Options]) -> None: ...
    >>> inspect.signature(draw)
    <Signature (name: str, *, size: int = None, seed: int = 0) -> None>
    """

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        *own, rest = signature.parameters.values()
        assert rest.kind is inspect.Parameter.VAR_KEYWORD
        named = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults.get(name), annotation=annotation)
            for name, annotation in inspect.get_annotations(options).items()
        ]
        # What `inspect` shows in place of what the function is written with; calls are as before.
        vars(function)["__signature__"] = signature.replace(parameters=[*own, *named])
        return function

    return decorate
