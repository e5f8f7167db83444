"""Progress bars: on a terminal, and in notebooks, whose streams are no terminals."""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tqdm import tqdm

# Modules that the kernels of notebooks load: Jupyter, Colab, VS Code and Spyder; JupyterLite; marimo.
KERNELS = ("ipykernel", "google.colab", "pyodide_kernel", "xeus_python_shell", "marimo")


def progress_bar(iterable: "Iterable[Any] | None" = None, *, shown: bool, **options: Any) -> "tqdm[Any]":
    """A bar of tqdm on standard error, which is shown on terminals and in notebooks only.

    Args:
      iterable: what the bar counts; without it the caller updates the bar.
      shown: whether the caller wants a bar.
      options: tqdm's own, such as `total`, `unit`, `desc`.
    """
    from tqdm import tqdm

    return tqdm(iterable, disable=not (shown and shows_progress()), **options)


def shows_progress() -> bool:
    """Whether standard error is where somebody sees a bar: a terminal, or the output of a notebook's cell."""
    stream = sys.stderr
    # Programs without a console have no standard error at all.
    if stream is None or stream.closed:
        return False
    return stream.isatty() or any(name in sys.modules for name in KERNELS)
