"""Warnings of featviz on the command line: one line, without the code that gave them."""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path

from featviz.cli.exit_status import one_printable_line

PACKAGE = Path(__file__).parents[1]


@contextlib.contextmanager
def short_warnings() -> Iterator[None]:
    """While its block runs, warnings of featviz print as `featviz: warning: ...`; those of other packages stay."""
    default = warnings.formatwarning

    def format_warning(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
    ) -> str:
        if category is UserWarning and Path(filename).is_relative_to(PACKAGE):
            return f"featviz: warning: {one_printable_line(str(message))}\n"
        return default(message, category, filename, lineno, line)

    warnings.formatwarning = format_warning
    try:
        yield
    finally:
        warnings.formatwarning = default
