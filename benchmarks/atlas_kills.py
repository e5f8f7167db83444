"""An atlas under SIGKILL: whether it ends as one that nobody disturbed, bit for bit, and what is drawn twice.

    python benchmarks/atlas_kills.py --kills 20 --units 200

Draws an atlas of the built-in network undisturbed, in a time T, then another one whose process is killed again and
again, at exponential intervals of T/5 in the mean, and continued. The intervals are those of the first of the seeds
0, 1, ... by which all kills fall before the end and most of them after a first write, as far as the start-up time and
the pace of the undisturbed run tell; what really happened is printed. Exit status 1 if the two atlases differ, or a
unit was begun again that had been written, or more were lost at a kill than its process had in flight. Two CPU cores,
four minutes. Expected: 20 kills, at least 10 of them after a first write, equal.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import featviz as fv
from featviz.atlas.journal import Line, read_journal

LAYERS = ["conv1", "conv2", "mixed3a", "mixed3b", "mixed4a"]
# Entries that one process may have begun and not written: two lanes that run, and the two that ended before them.
IN_FLIGHT = 4


def on_start(folder: Path, options: argparse.Namespace) -> "subprocess.Popen[bytes]":
    """`featviz atlas` in a process of its own."""
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
    raise SystemExit(f"--units {count} cannot be had of these layers; try {sum(min(size, 4) for size in sizes)}")


def schedule(kills: int, mean: float, wait: float, work: float) -> np.ndarray:
    """Intervals of kills in seconds: see above; `wait` is the start-up time, `work` that of drawing."""
    for seed in range(1_000_000):
        drawn = np.random.default_rng(seed).exponential(mean, kills)
        useful = np.maximum(drawn - wait, 0)
        if np.count_nonzero(useful) > kills / 2 and useful.sum() < 0.8 * work:
            return drawn
    raise SystemExit("no intervals fit; give more units, or fewer kills")


def events(lines: list[Line], event: str) -> list[tuple[str, int]]:
    return [(line.series, line.unit) for line in lines if line.event == event]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--units", type=int, default=200)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=128)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        still, shaken = Path(name) / "still", Path(name) / "shaken"
        on_start(Path(name) / "warm", options).wait()  # programs are compiled for both alike
        started, clock = time.time(), time.perf_counter()
        assert on_start(still, options).wait() == 0
        whole = time.perf_counter() - clock
        first = next(line.at for line in read_journal(still / "journal")[0] if line.event == "done")
        wait = first - started
        intervals = schedule(options.kills, whole / 5, wait, whole - wait)
        killed = 0
        for interval in intervals:
            process = on_start(shaken, options)
            try:
                process.wait(interval)
                break
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                killed += 1
        assert on_start(shaken, options).wait() == 0
        runs = read_journal(shaken / "journal")
        written: set[tuple[str, int]] = set()
        again = lost = 0
        for lines in runs:
            starts, done = events(lines, "start"), events(lines, "done")
            again += len(written.intersection(starts))
            lost = max(lost, len(set(starts) - set(done)))
            written.update(done)
        after_writes = sum(bool(events(lines, "done")) for lines in runs[:-1])
        a, b = fv.open_atlas(still), fv.open_atlas(shaken)
        same = all(
            np.array_equal(
                a.entries(each["path"]).arrays[array][:], b.entries(each["path"]).arrays[array][:], equal_nan=True
            )
            for each in a.plan
            for array in ("pixels", "score", "history", "outcome")
        )
        begun = sum(len(events(lines, "start")) for lines in runs)
        print(
            f"undisturbed {whole:.1f} s, first write after {wait:.1f} s; {killed} kills, {after_writes} after a first "
            f"write; {a.count()[0]} entries, {begun} begun, at most {lost} lost at a kill, {again} written ones begun "
            f"again; equal: {same}"
        )
        sys.exit(0 if same and again == 0 and lost <= IN_FLIGHT and killed == options.kills else 1)


if __name__ == "__main__":
    main()
