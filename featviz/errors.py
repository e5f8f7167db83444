"""The error that featviz raises, and the hints that it ends with: the nearest valid choices."""

import difflib
import re
from collections.abc import Iterable, Sequence

# Shorter names than this are part of too many others.
MIN_LENGTH = 2
# Choices that a hint lists where no choice is near.
MAX_LISTED = 8


class FeatvizError(ValueError):
    """Invalid input. The message is one line: the argument, what was found, what was expected, the nearest choice.

    The command line prints it without a traceback.
    """


class ArgumentError(FeatvizError):
    """A file or folder that an argument names is not there, is of another kind, or belongs to another run.

    Nothing has been done or changed. The command line exits with status 2, as for any wrong command.
    """


def suggest(name: str, choices: Iterable[str]) -> str:
    """The hint that ends an error about an unknown name: the nearest choices, or else the first few.

    Args:
      name: what was given.
      choices: what would have been valid.

    >>> suggest("inception_4k", ["inception_4c", "conv1"]), suggest("4c", ["inception_4c/3x3", "conv1"])
    ('did you mean `inception_4c`?', 'did you mean `inception_4c/3x3`?')
    >>> suggest("zzz", ["conv1", "conv2"])
    'expected one of `conv1`, `conv2`'
    """
    ordered = sorted(dict.fromkeys(choices), key=_depth)
    if near := nearest_choices(name, ordered):
        return f"did you mean {join_or([f'`{choice}`' for choice in near])}?"
    listed = ", ".join(f"`{choice}`" for choice in ordered[:MAX_LISTED])
    more = f" or {len(ordered) - MAX_LISTED} more" if len(ordered) > MAX_LISTED else ""
    return f"expected one of {listed}{more}"


def nearest_choices(name: str, choices: Iterable[str]) -> list[str]:
    """The choices that an unknown name may mean, the likeliest first.

    These are the choices that equal the name but for case; or else those that contain it; or else those with a word
    that is spelled nearly like it; or else the one that is spelled nearly like it.

    Args:
      name: what was given.
      choices: what would have been valid.

    >>> nearest_choices("spirals", ["scales", "clockwise spiral", "counterclockwise spiral"])
    ['clockwise spiral', 'counterclockwise spiral']
    >>> nearest_choices("Conv1", ["conv1", "conv1x"]), nearest_choices("inception_4k", ["inception_4c", "conv1"])
    (['conv1'], ['inception_4c'])
    >>> nearest_choices("zzz", ["fc"])
    []
    """
    by_folded: dict[str, list[str]] = {}
    for choice in dict.fromkeys(choices):
        by_folded.setdefault(choice.casefold(), []).append(choice)
    folded_name = name.casefold()
    if folded_name in by_folded:
        return by_folded[folded_name]
    containing = [text for text in by_folded if folded_name in text] if len(folded_name) >= MIN_LENGTH else []
    if containing:
        containing.sort(key=lambda text: (not text.startswith(folded_name), _depth(text)))
        return [choice for text in containing for choice in by_folded[text]]
    by_word: dict[str, list[str]] = {}
    for text in by_folded:
        parts = re.findall(r"\w+", text)
        for word in set(parts) if len(parts) > 1 else ():
            by_word.setdefault(word, []).append(text)
    # A word must be nearer to the name than a whole choice, since most choices have many words.
    near_words = difflib.get_close_matches(folded_name, [w for w in by_word if len(w) >= MIN_LENGTH], n=1, cutoff=0.8)
    near_texts = difflib.get_close_matches(folded_name, by_folded, n=1, cutoff=0.6)
    if near_words and not (
        near_texts and _similarity(folded_name, near_texts[0]) >= _similarity(folded_name, near_words[0])
    ):
        return [choice for text in by_word[near_words[0]] for choice in by_folded[text]]
    # Among choices that differ in case alone, the one whose case is nearest.
    return difflib.get_close_matches(name, by_folded[near_texts[0]], n=1, cutoff=0.0) if near_texts else []


def join_or(texts: Sequence[str], *, max_shown: int = 5) -> str:
    """Texts as a list with `or` before the last, or before the number of those that are not shown.

    >>> join_or(["a"]), join_or(["a", "b", "c"]), join_or(["a", "b", "c"], max_shown=2)
    ('a', 'a, b or c', 'a, b or 1 more')
    """
    more = [f"{len(texts) - max_shown} more"] if len(texts) > max_shown else []
    shown = [*texts[:max_shown], *more]
    return ", ".join(shown[:-1]) + (" or " if len(shown) > 1 else "") + shown[-1]


def in_one_line(error: BaseException) -> str:
    """The message of another library's exception on one line, or its class's name if it has no message.

    >>> in_one_line(ValueError("cut\\nshort")), in_one_line(KeyError())
    ('cut short', 'KeyError')
    >>> in_one_line(AttributeError("module 'numpy' has no attribute 'float8_e4m3fn'"))
    'it has numbers of type float8_e4m3fn, which NumPy lacks'
    """
    text = " ".join(str(error).split())
    # What safetensors says.
    lacking = re.fullmatch(r"module 'numpy' has no attribute '(\w+)'", text)
    return f"it has numbers of type {lacking[1]}, which NumPy lacks" if lacking else text or type(error).__name__


def _depth(name: str) -> int:
    """The depth of a name that is a path, such as `block/conv` and `layer1.conv`."""
    return name.count("/") + name.count(".")


def _similarity(name: str, other: str) -> float:
    return difflib.SequenceMatcher(None, other, name).ratio()
