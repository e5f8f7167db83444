"""The start: seconds until the first step and until the end of `featviz render`, nothing compiled and compiled before.

    python benchmarks/startup.py [--rounds 5] [--network googlenet] [--target inception_4c:100] [--size 128]

Each round runs the command twice as a user does, in processes of its own: with an empty cache folder, and again with
what the first left there. The first step counts as started when the bar on the terminal shows the first steps as done,
16 of them, less the time that as many took between the bar's later numbers; so `--steps` must be 32 or more. The bar is
read on a pseudo-terminal and redrawn each time. Prints medians and the range of the rounds, the processor time of all
threads until the end, and the bytes in the cache folder. What else the machine does changes the seconds, and the
processor time less. Expect the difference between the rows to be the compilation; the steps take the same in both.
"""

import argparse
import os
import platform
import pty
import re
import sys
import tempfile
import termios
import time
from datetime import date
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "experiments"))

from data import network

FILES = {"googlenet": "googlenet", "squeezenet1_1": "squeezenet_v1_1"}
# `16/64 [00:03<...`, the bar's steps done.
DONE = re.compile(rb"(\d+)/\d+ \[")


def command(options: argparse.Namespace, out: Path) -> list[str]:
    words = [sys.executable, "-c", "from featviz.cli.main import run; run()", "render", options.network, options.target]
    if options.network in FILES:
        words += ["--weights", str(network(FILES[options.network]))]
    return [*words, "--size", str(options.size), "--steps", str(options.steps), "-o", str(out)]


def run(words: list[str], cache: Path) -> tuple[float, float, float]:
    """Seconds until the first step and until the end, and processor seconds, of one process on a pseudo-terminal."""
    started = time.perf_counter()
    child, terminal = pty.fork()
    if child == 0:
        # The bar needs a width, and every change of it is to be drawn.
        termios.tcsetwinsize(0, (24, 120))
        os.environ |= {"FEATVIZ_CACHE": str(cache), "TQDM_MININTERVAL": "0"}
        os.execv(words[0], words)
    said, seen = b"", {}
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # how Linux tells that the other end is closed
            break
        if not part:
            break
        said += part
        for steps in map(int, DONE.findall(said)):
            seen.setdefault(steps, time.perf_counter() - started)
    _, status, usage = os.wait4(child, 0)
    ended = time.perf_counter() - started
    os.close(terminal)
    if status != 0:
        raise SystemExit(f"`{' '.join(words)}` failed:\n{said.decode(errors='replace')}")
    moved = sorted(steps for steps in seen if steps)
    if len(moved) < 2:
        raise SystemExit(f"the bar moved {len(moved)} times; expected --steps of 32 or more")
    first, *later = moved
    pace = (seen[later[-1]] - seen[first]) / (later[-1] - first)
    return seen[first] - first * pace, ended, usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="googlenet", choices=[*FILES, "patterns"])
    parser.add_argument("--target", default="inception_4c:100")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"{date.today()}, {platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    print(f"{options.network} {options.target}, {options.size} px, {options.steps} steps\n")
    times: dict[str, list[tuple[float, float, float]]] = {"nothing compiled": [], "compiled before": []}
    size = 0
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            words = command(options, Path(folder) / "picture.png")
            for measured in times.values():
                measured.append(run(words, Path(folder) / "cache"))
            size = sum(path.stat().st_size for path in (Path(folder) / "cache").rglob("*") if path.is_file())
    print(f"{'':17} {'first step s':>12} {'range':>13} {'end s':>7} {'range':>13} {'processor s':>11}")
    for name, rows in times.items():
        first, ended, used = zip(*rows, strict=True)
        print(f"{name:17} {median(first):12.2f} {min(first):6.2f}-{max(first):6.2f} "
              f"{median(ended):7.2f} {min(ended):6.2f}-{max(ended):6.2f} {median(used):11.2f}")  # fmt: skip
    print(f"\n{size / 1024:.0f} KiB in the cache")


if __name__ == "__main__":
    main()
