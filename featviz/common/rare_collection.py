"""Python's garbage collector at ease for a while: tracing makes many objects that stay."""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Objects that are made before the youngest are looked through, and how many such looks come before one further.
THRESHOLDS = 50_000, 20, 20
_LOCK = threading.Lock()
# What each open one found.
_OPEN: list[tuple[int, int, int]] = []


@contextmanager
def rare_collection() -> Iterator[None]:
    """While it is open, garbage is collected rarely; then as before, unless other code has set that meanwhile.

    An export and its tracing make half a million objects that stay. By default Python looks through all that PyTorch
    and JAX have made over and over, which takes a quarter of that time.

    >>> before = gc.get_threshold()
    >>> with rare_collection():
    ...     gc.get_threshold()
    (50000, 20, 20)
    >>> gc.get_threshold() == before
    True
    """
    with _LOCK:
        before = gc.get_threshold()
        # 0 is never; whoever collects more rarely keeps that.
        if not _OPEN and 0 < before[0] < THRESHOLDS[0]:
            gc.set_threshold(*THRESHOLDS)
        _OPEN.append(before)
    try:
        yield
    finally:
        with _LOCK:
            # Threads end in any order; what the first one found comes back behind the last.
            first = _OPEN[0]
            _OPEN.pop()
            if not _OPEN and gc.get_threshold() == THRESHOLDS:
                gc.set_threshold(*first)
