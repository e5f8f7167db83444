"""The journal of an atlas: when each entry was started and written, one JSON line each, one file per process."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple


class JournalEvent(NamedTuple):
    """What happened to an entry.

    Attributes:
      time: seconds since 1970.
      event: "start" or "done".
      series: the name of the series, LAYER-ROLE-HASH.
      unit: the unit's index.
    """

    time: float
    event: str
    series: str
    unit: int


class Journal:
    """Appends events to a file of this process; the kernel has each one before `record` returns.

    Args:
      folder: where the journals of all processes lie.
    """

    def __init__(self, folder: Path) -> None:
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{stamp}-{socket.gethostname()}-{os.getpid()}.jsonl"
        self.file = open(self.path, "ab", buffering=0)  # noqa: SIM115, closed by `close`

    def record(self, event: str, series: str, unit: int) -> None:
        line = json.dumps({"time": round(time.time(), 3), "event": event, "series": series, "unit": unit})
        self.file.write(line.encode() + b"\n")

    def close(self) -> None:
        self.file.close()


def read_journal(folder: Path) -> list[list[JournalEvent]]:
    """The events of each process, in the order in which the processes started.

    A line that was cut off by a kill is left out.
    """
    journals = [list(_events(path)) for path in folder.glob("*.jsonl")]
    return sorted((events for events in journals if events), key=lambda events: events[0].time)


def _events(path: Path) -> Iterator[JournalEvent]:
    for line in path.read_text("utf-8", errors="replace").splitlines():
        with suppress(ValueError, KeyError, TypeError):
            values: dict[str, Any] = json.loads(line)
            yield JournalEvent(values["time"], values["event"], values["series"], values["unit"])
