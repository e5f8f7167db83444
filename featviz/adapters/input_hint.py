"""What adapters say where nothing tells how a network takes its images."""

from typing import Any

from featviz.errors import FeatvizError
from featviz.model import RANGES, InputSpec


def require_input(given: Any, network: str, *, channels_first: bool) -> InputSpec:
    """The specification that was given.

    Raises: FeatvizError with one to paste if there is none, or something else.

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
