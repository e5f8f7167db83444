"""What featviz raises: one line that says what was found, what was expected, and the nearest choice."""

import difflib
from collections.abc import Iterable


class FeatvizError(ValueError):
    """Bad input, told in one line; the command line prints it without a traceback."""


def nearest(name: str, choices: Iterable[str]) -> str:
    """A hint that ends an error about an unknown name: the closest choice, else the first few.

    >>> nearest("inception_4k", ["inception_4c", "conv1"])
    'did you mean `inception_4c`?'
    >>> nearest("zzz", ["conv1", "conv2"])
    'expected one of `conv1`, `conv2`'
    """
    known = list(choices)
    # The whole name first, then ignoring case: `Conv1` is nearer to `conv1` than to `Conv2d`.
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    folded = {choice.lower(): choice for choice in known}
    close = close or [folded[c] for c in difflib.get_close_matches(name.lower(), folded, n=1)]
    if close:
        return f"did you mean `{close[0]}`?"
    shown = ", ".join(f"`{choice}`" for choice in known[:8])
    return f"expected one of {shown}" + (f" or {len(known) - 8} more" if len(known) > 8 else "")


def in_one_line(error: BaseException) -> str:
    """What an exception of somebody else's says, on one line; its kind if it says nothing.

    >>> in_one_line(ValueError("cut\\nshort")), in_one_line(KeyError())
    ('cut short', 'KeyError')
    """
    return " ".join(str(error).split()) or type(error).__name__
