"""`--input`: how a network takes its images, where neither the zoo nor its file says so."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from featviz.errors import FeatvizError, suggest

if TYPE_CHECKING:
    from featviz.model import InputSpec

FLAGS: dict[str, dict[str, Any]] = {
    "nchw": {"channels_first": True}, "nhwc": {"channels_first": False}, "bgr": {"bgr": True}, "rgb": {"bgr": False},
    "gray": {"channels": 1},
}  # fmt: skip
NUMBERS = ("channels", "multiple", "scale", "mean", "std", "rgb")

input_option = click.option(
    "--input",
    "input_words",
    metavar="WORDS",
    help="Say how a network of a file or a framework takes its images: a size, a range (unit, symmetric, bytes, "
    "imagenet, caffe), nchw, bgr, gray, mean=, std=, ..., split at commas, such as 224,imagenet,nchw.",
)


def parse_input(text: str, *, base: "InputSpec | None" = None) -> "InputSpec":
    """The input specification that the words of `--input` name.

    Args:
      text: words, split at commas: `224` or `224x320` (height x width), a range of RANGES, `nchw`, `nhwc`, `bgr`,
        `rgb`, `gray`, and `channels=`, `multiple=`, `scale=`, `mean=` and `std=`, whose values for several channels
        are split at slashes, and `rgb=`, the three bands that are shown, likewise.
      base: what is known of the network; the words change it.

    >>> from featviz.model import InputSpec
    >>> parse_input("28,gray,nchw") == InputSpec(size=(28, 28), channels=1, channels_first=True)
    True
    >>> parse_input("224,nchw,mean=.5/.4/.3").mean
    (0.5, 0.4, 0.3)

    Raises:
      FeatvizError: for a word that is none of these, or where no size is given.
    """
    from featviz.model import RANGES, InputSpec

    fields: dict[str, Any] = {}
    for word in filter(None, (word.strip().lower() for word in text.split(","))):
        name, equals, value = word.partition("=")
        sides = word.split("x")
        if len(sides) <= 2 and all(side.isdecimal() and int(side) > 0 for side in sides):
            fields["size"] = (int(sides[0]), int(sides[-1]))
        elif word in RANGES or word in FLAGS:
            fields |= RANGES.get(word) or FLAGS[word]
        elif equals and name in NUMBERS:
            fields[name] = _numbers(name, value)
        else:
            words = [*RANGES, *FLAGS, *(f"{key}=" for key in NUMBERS)]
            raise FeatvizError(f"--input has the word `{word}`; {suggest(word, words)}, or a size such as 224")
    if base is not None:
        return replace(base, **fields)
    if "size" not in fields:
        raise FeatvizError(f"--input is `{text}`; expected a size among its words, such as 224,imagenet,nchw")
    return InputSpec(**fields)


def _numbers(name: str, text: str) -> Any:
    try:
        numbers = tuple(float(part) for part in text.split("/"))
    except ValueError:
        numbers = ()
    fits = numbers and all(map(math.isfinite, numbers))
    if name in ("mean", "std") and fits and (name == "mean" or min(numbers) > 0):
        return numbers
    if name == "scale" and fits and len(numbers) == 1 and numbers[0] > 0:
        return numbers[0]
    if name == "rgb":
        if len(numbers) == 3 and fits and all(number == int(number) >= 0 for number in numbers):
            return tuple(map(int, numbers))
    elif fits and len(numbers) == 1 and numbers[0] == int(numbers[0]) >= 1:
        return int(numbers[0])
    expected = {
        "mean": "numbers, such as .5/.5/.5",
        "std": "positive numbers, such as .2/.2/.2",
        "rgb": "three bands, such as 3/2/1",
    }
    raise FeatvizError(f"--input has `{name}={text}`; expected {expected.get(name, 'a positive number')}")
