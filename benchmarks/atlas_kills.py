"""An atlas whose process is killed at random: is it bit-identical to an uninterrupted one, and what is lost?

    python benchmarks/atlas_kills.py --kills 20 --units 200

Renders an atlas of the built-in network without interruption, in a time T, then another one whose process is killed by
SIGKILL and resumed, at exponentially distributed intervals with mean T/5. The intervals are those of the first seed 0,
1, ... with which all kills fall before the end and most of them after a first write, as predicted from the start-up
time and the pace of the uninterrupted run; the actual numbers are printed. Exit status 1 if the two atlases differ, if
an entry that was written is started again, or if more entries are lost at a kill than the process had in flight. Two
CPU cores, four minutes. Expected: 20 kills, at least 10 of them after a first write, equal.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import featviz as fv
from featviz.atlas.journal import JournalEvent, read_journal

LAYERS = ["conv1", "conv2", "mixed3a", "mixed3b", "mixed4a"]
# Entries that one process may have started and not written: two lanes that run, and the two that ended before them.
IN_FLIGHT = 4


def start(folder: Path, options: argparse.Namespace) -> "subprocess.Popen[bytes]":
    """`featviz atlas` in another process."""
    code = "from featviz.cli.main import run; run()"
    command = [sys.executable, "-c", code, "atlas", "patterns", "-o", str(folder), "--layers", ",".join(LAYERS)]
    command += ["--units", f"0-{last_unit(options.units)}", "--size", str(options.size), "--steps", str(options.steps)]
    return subprocess.Popen([*command, "--quiet", "--no-site"])


def last_unit(count: int) -> int:
    """The last unit of each layer, so that all layers together have `count`."""
    sizes = [fv.load("patterns").layer(layer).units for layer in LAYERS]
    for last in range(max(sizes)):
        if sum(min(size, last + 1) for size in sizes) == count:
            return last
    raise SystemExit(f"--units {count} is impossible with these layers; try {sum(min(size, 4) for size in sizes)}")


def schedule(kills: int, mean: float, wait: float, work: float) -> np.ndarray:
    """Seconds between kills, as above; `wait` is the start-up time, `work` the time of rendering."""
    for seed in range(1_000_000):
        intervals = np.random.default_rng(seed).exponential(mean, kills)
        useful = np.maximum(intervals - wait, 0)
        if np.count_nonzero(useful) > kills / 2 and useful.sum() < 0.8 * work:
            return intervals
    raise SystemExit("no intervals fit; give more units, or fewer kills")


def events(lines: list[JournalEvent], event: str) -> list[tuple[str, int]]:
    return [(line.series, line.unit) for line in lines if line.event == event]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--units", type=int, default=200)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=128)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        uninterrupted, killed_folder = Path(name) / "still", Path(name) / "shaken"
        start(Path(name) / "warm", options).wait()  # compiles the programs for both
        started, clock = time.time(), time.perf_counter()
        assert start(uninterrupted, options).wait() == 0
        duration = time.perf_counter() - clock
        first = next(line.time for line in read_journal(uninterrupted / "journal")[0] if line.event == "done")
        wait = first - started
        intervals = schedule(options.kills, duration / 5, wait, duration - wait)
        killed = 0
        for interval in intervals:
            process = start(killed_folder, options)
            try:
                process.wait(interval)
                break
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                killed += 1
        assert start(killed_folder, options).wait() == 0
        runs = read_journal(killed_folder / "journal")
        written: set[tuple[str, int]] = set()
        again = lost = 0
        for lines in runs:
            starts, done = events(lines, "start"), events(lines, "done")
            again += len(written.intersection(starts))
            lost = max(lost, len(set(starts) - set(done)))
            written.update(done)
        after_writes = sum(bool(events(lines, "done")) for lines in runs[:-1])
        a, b = fv.open_atlas(uninterrupted), fv.open_atlas(killed_folder)
        same = all(
            np.array_equal(
                a.entries(series.path).arrays[array][:], b.entries(series.path).arrays[array][:], equal_nan=True
            )
            for series in a.plan
            for array in ("pixels", "score", "history", "outcome")
        )
        started_count = sum(len(events(lines, "start")) for lines in runs)
        print(f"uninterrupted {duration:.1f} s, first write after {wait:.1f} s")
        print(f"{killed} kills, {after_writes} of them after a first write")
        print(f"{a.count()[0]} entries, {started_count} started, at most {lost} lost at a kill, {again} started again")
        print(f"equal: {same}")
        sys.exit(0 if same and again == 0 and lost <= IN_FLIGHT and killed == options.kills else 1)


if __name__ == "__main__":
    main()
