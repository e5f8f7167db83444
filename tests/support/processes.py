"""Processes that a test starts, above all the command `featviz atlas`, and how a test waits for what they do."""

import subprocess
import sys
import time

from featviz.atlas.journal import read_journal

COMMAND = [sys.executable, "-c", "from featviz.cli.main import run; run()", "atlas", "patterns"]
# As `support.atlases.PATTERNS`.
SMALL = ["--layers", "conv1,conv2", "--recipe", "erhan_2009", "--size", "24", "--no-site"]


def start_atlas(folder, *options):
    return subprocess.Popen(
        [*COMMAND, "-o", str(folder), *SMALL, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def count_written(folder):
    journals = read_journal(folder / "journal") if (folder / "journal").is_dir() else []
    return sum(event.event == "done" for events in journals for event in events)


# Seconds that a process may take for anything: far more than it needs, for machines that are busy.
PATIENCE = 300


def wait_for(condition):
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.05)
