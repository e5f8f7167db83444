"""Lists that a notebook shows as what is in them."""

from collections.abc import Iterable
from typing import Protocol, SupportsIndex, TypeVar, overload

from featviz.common.notebook_html import Html, joined_html, row_html, text_html

# More make a notebook's file large.
MOST_SHOWN = 100


class Displayed(Protocol):
    """What a notebook shows as HTML."""

    def _repr_html_(self) -> str: ...


T = TypeVar("T", bound=Displayed)


class DisplayedList(list[T]):
    """A list that a notebook shows as its items side by side, and that is a list otherwise.

    >>> DisplayedList([])
    []
    """

    @overload
    def __getitem__(self, index: SupportsIndex) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> "DisplayedList[T]": ...
    def __getitem__(self, index: SupportsIndex | slice) -> "T | DisplayedList[T]":
        """An item, or a part that is shown in the same way."""
        return DisplayedList(super().__getitem__(index)) if isinstance(index, slice) else super().__getitem__(index)

    def _repr_html_(self) -> str:
        return show_items(self)


def show_items(items: Iterable[Displayed]) -> Html:
    """The first hundred items side by side, and how many more there are."""
    listed = list(items)
    shown = row_html(Html(item._repr_html_()) for item in listed[:MOST_SHOWN])
    more = len(listed) - MOST_SHOWN
    return joined_html([shown, text_html(f"and {more} more", quiet=True)]) if more > 0 else shown
