"""Progress bars: on a terminal, and in notebooks, whose streams are no terminals."""

import sys
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tqdm import tqdm

T = TypeVar("T")

# Modules that the kernels of notebooks load: Jupyter, Colab, VS Code and Spyder; JupyterLite; marimo.
KERNELS = ("ipykernel", "google.colab", "pyodide_kernel", "xeus_python_shell", "marimo")


def progress_bar(
    iterable: "Iterable[T] | None",
    *,
    shown: bool,
    total: int | None = None,
    initial: int = 0,
    unit: str = "it",
    unit_scale: bool = False,
    desc: str | None = None,
) -> "tqdm[T]":
    """A bar of tqdm on standard error, which is shown on terminals and in notebooks only.

    Args:
      iterable: what the bar counts; with None the caller updates the bar.
      shown: whether the caller wants a bar.
      total: how many there are, if the iterable does not say.
      initial: how many are done before.
      unit: what one of them is called.
      unit_scale: whether counts are shortened, as in 1.2M.
      desc: the words before the bar.
    """
    from tqdm import tqdm

    return tqdm(
        iterable,
        disable=not (shown and shows_progress()),
        total=total,
        initial=initial,
        unit=unit,
        unit_scale=unit_scale,
        desc=desc,
    )


def shows_progress() -> bool:
    """Whether standard error is where somebody sees a bar: a terminal, or the output of a notebook's cell."""
    stream = sys.stderr
    # Programs without a console have no standard error at all.
    if stream is None or stream.closed:
        return False
    return stream.isatty() or any(name in sys.modules for name in KERNELS)
