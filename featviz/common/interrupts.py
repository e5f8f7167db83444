"""Ctrl-C waits while something is written."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Within, Ctrl-C is only noted; it is raised at the end. Outside the main thread nothing changes.

    >>> with uninterrupted():
    ...     pass
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    noted: list[Any] = []
    before = signal.signal(signal.SIGINT, lambda *args: noted.append(args))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if noted:
        raise KeyboardInterrupt
