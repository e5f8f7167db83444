"""What is computed for an object, such as a network's programs: kept with it, so that it goes when that goes."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

# The attribute that holds the results.
ATTRIBUTE = "_featviz_kept"


class Kept(OrderedDict[Hashable, Any]):
    """The results of an object, those used last at the end; a copy of the object begins with none."""

    def __reduce__(self) -> tuple[type["Kept"], tuple[()]]:
        return Kept, ()


def kept_with_owner(*, maxsize: int) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Like `functools.lru_cache`, of a function whose first argument holds the results.

    The results may refer to the first argument, as programs of a network do, and yet nothing else keeps it.

    Args:
        maxsize: How many results of each object are kept, those used last.

    >>> @kept_with_owner(maxsize=2)
    ... def doubled(owner, number):
    ...     print("computed")
    ...     return 2 * number
    >>> def owner(): pass
    >>> doubled(owner, 3), doubled(owner, 3)
    computed
    (6, 6)
    """

    def decorate(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        @wraps(function)
        def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
            try:
                kept = vars(args[0]).setdefault(ATTRIBUTE, Kept())
            except TypeError:  # an object without attributes of its own
                return function(*args, **kwargs)
            # The owner too: a method's attributes are those of its class's function.
            key = (function, args, tuple(kwargs.items()))
            if key in kept:
                kept.move_to_end(key)
                return kept[key]
            result = kept[key] = function(*args, **kwargs)
            own = [each for each in kept if each[0] is function]
            for each in own[: max(0, len(own) - maxsize)]:
                kept.pop(each, None)
            return result

        return call

    return decorate
