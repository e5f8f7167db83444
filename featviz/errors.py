"""What featviz raises: one line that says what was found, what was expected, and the nearest choice."""

import difflib
import re
from collections.abc import Iterable, Sequence

# Shorter names than this are part of too many others.
SHORTEST = 2


class FeatvizError(ValueError):
    """Bad input, told in one line; the command line prints it without a traceback."""


def likely(name: str, choices: Iterable[str]) -> list[str]:
    """What somebody may have meant by an unknown name, the likeliest first: nothing, one choice, or several.

    Several only where they hold the name, or a word that is like it.

    >>> likely("spirals", ["scales", "clockwise spiral", "anticlockwise spiral"])
    ['clockwise spiral', 'anticlockwise spiral']
    >>> likely("Conv1", ["conv1", "conv1x"]), likely("inception_4k", ["inception_4c", "conv1"]), likely("zzz", ["fc"])
    (['conv1'], ['inception_4c'], [])
    """
    folded: dict[str, list[str]] = {}
    for choice in dict.fromkeys(choices):
        folded.setdefault(choice.casefold(), []).append(choice)
    wanted = name.casefold()
    if wanted in folded:
        return folded[wanted]
    holding = [each for each in folded if wanted in each] if len(wanted) >= SHORTEST else []
    if holding:
        holding.sort(key=lambda each: (not each.startswith(wanted), _depth(each)))
        return [choice for each in holding for choice in folded[each]]
    words: dict[str, list[str]] = {}
    for each in folded:
        parts = re.findall(r"\w+", each)
        for word in set(parts) if len(parts) > 1 else ():
            words.setdefault(word, []).append(each)
    # A word must be more like the name than a whole choice: most choices have many.
    of_word = difflib.get_close_matches(wanted, [word for word in words if len(word) >= SHORTEST], n=1, cutoff=0.8)
    whole = difflib.get_close_matches(wanted, folded, n=1, cutoff=0.6)
    if of_word and not (whole and _alike(wanted, whole[0]) >= _alike(wanted, of_word[0])):
        return [choice for each in words[of_word[0]] for choice in folded[each]]
    # Among choices that differ in case alone, the one whose case is nearest.
    return difflib.get_close_matches(name, folded[whole[0]], n=1, cutoff=0.0) if whole else []


def _depth(name: str) -> int:
    """How deep among names of paths, such as `block/conv` and `layer1.conv`, one is."""
    return name.count("/") + name.count(".")


def _alike(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, other, one).ratio()


def nearest(name: str, choices: Iterable[str]) -> str:
    """A hint that ends an error about an unknown name: the likely choices, else the first few.

    >>> nearest("inception_4k", ["inception_4c", "conv1"]), nearest("4c", ["inception_4c/3x3", "conv1"])
    ('did you mean `inception_4c`?', 'did you mean `inception_4c/3x3`?')
    >>> nearest("zzz", ["conv1", "conv2"])
    'expected one of `conv1`, `conv2`'
    """
    known = sorted(dict.fromkeys(choices), key=_depth)
    if found := likely(name, known):
        return f"did you mean {join_or([f'`{each}`' for each in found])}?"
    shown = ", ".join(f"`{choice}`" for choice in known[:8])
    return f"expected one of {shown}" + (f" or {len(known) - 8} more" if len(known) > 8 else "")


def join_or(texts: Sequence[str], *, most: int = 5) -> str:
    """Texts with an `or` before the last, or before how many more there are.

    >>> join_or(["a"]), join_or(["a", "b", "c"]), join_or(["a", "b", "c"], most=2)
    ('a', 'a, b or c', 'a, b or 1 more')
    """
    shown = [*texts[:most], *([f"{len(texts) - most} more"] if len(texts) > most else [])]
    return ", ".join(shown[:-1]) + (" or " if len(shown) > 1 else "") + shown[-1]


def in_one_line(error: BaseException) -> str:
    """What an exception of somebody else's says, on one line; its kind if it says nothing.

    >>> in_one_line(ValueError("cut\\nshort")), in_one_line(KeyError())
    ('cut short', 'KeyError')
    """
    return " ".join(str(error).split()) or type(error).__name__
