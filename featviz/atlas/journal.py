"""The journal: when each entry was begun and when it was written, a line each, in one file a process."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple


class Line(NamedTuple):
    """`event` is `start` or `done`, of a unit of a series; `at` is in seconds since 1970."""

    at: float
    event: str
    series: str
    unit: int


class Journal:
    """Appends lines to a file of this process's own; each is with the kernel before `note` returns."""

    def __init__(self, folder: Path) -> None:
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{stamp}-{socket.gethostname()}-{os.getpid()}.jsonl"
        self.file = open(self.path, "ab", buffering=0)  # noqa: SIM115, closed by `close`

    def note(self, event: str, series: str, unit: int) -> None:
        text = json.dumps({"at": round(time.time(), 3), "event": event, "series": series, "unit": unit})
        self.file.write(text.encode() + b"\n")

    def close(self) -> None:
        self.file.close()


def read_journal(folder: Path) -> list[list[Line]]:
    """The lines of each process, in the order in which they began; one that a kill cut off is left out."""
    read = [list(_lines(path)) for path in folder.glob("*.jsonl")]
    return sorted((lines for lines in read if lines), key=lambda lines: lines[0].at)


def _lines(path: Path) -> Iterator[Line]:
    for text in path.read_text("utf-8", errors="replace").splitlines():
        with suppress(ValueError, KeyError, TypeError):
            found: dict[str, Any] = json.loads(text)
            yield Line(found["at"], found["event"], found["series"], found["unit"])
