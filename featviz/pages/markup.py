"""HTML that cannot be forged: whatever is not markup already is escaped on its way in."""

import html
from collections.abc import Iterable
from typing import Union

# Elements without an end; those of SVG all have one.
VOID = frozenset({"br", "img", "input", "link", "meta"})


class Html(str):
    """Markup, made by `tag` and `join`; any other text is escaped when it becomes a child."""

    __slots__ = ()


# Children of any depth; `X | Y` would not hold a name that is not there yet.
Child = Union[Html, str, int, None, Iterable["Child"]]  # noqa: UP007
Attribute = str | int | float | bool | None


def tag(name: str, *children: Child, **attributes: Attribute) -> Html:
    """An element; `class_` stands for class, `data_unit` for data-unit; None and False leave an attribute out.

    >>> tag("a", "<b>", href='"', hidden=True, title=None)
    '<a href="&quot;" hidden>&lt;b&gt;</a>'
    """
    parts = [f"<{name}"]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        plain = key.rstrip("_").replace("_", "-")
        parts.append(f" {plain}" if value is True else f' {plain}="{html.escape(str(value))}"')
    parts.append(">")
    if name not in VOID:
        parts.append(join(*children))
        parts.append(f"</{name}>")
    return Html("".join(parts))


def join(*children: Child) -> Html:
    """Children one after the other; None is nothing.

    >>> join("a & b", None, [Html("<br>"), 3])
    'a &amp; b<br>3'
    """
    parts: list[str] = []
    for child in children:
        if isinstance(child, Html):
            parts.append(child)
        elif isinstance(child, str | int):
            parts.append(html.escape(str(child)))
        elif child is not None:
            parts.append(join(*child))
    return Html("".join(parts))
