"""Seconds until the first step and the end of `featviz render`, with an empty and a filled compilation cache.

    python benchmarks/startup.py [--rounds 5] [--network googlenet] [--target inception_4c:100] [--size 128]

Each round runs the command twice, as a user does: with an empty cache folder, and with what the first run left there.
The time of the first step is extrapolated: when the progress bar shows the first 16 steps, minus the time of as many
later steps, so `--steps` must be 32 or more. The bar is read on a pseudo-terminal. Prints medians and ranges over the
rounds, the processor time of all threads, and the size of the cache. Other processes change the seconds, and the
processor time less. Hardware: two CPU cores. Expected: benchmarks/README.md; the rows differ by the compilation.
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
# Steps done in the progress bar: `16/64 [00:03<...`.
DONE = re.compile(rb"(\d+)/\d+ \[")


def command(options: argparse.Namespace, out: Path) -> list[str]:
    arguments = [
        sys.executable,
        "-c",
        "from featviz.cli.main import run; run()",
        "render",
        options.network,
        options.target,
    ]
    if options.network in FILES:
        arguments += ["--weights", str(network(FILES[options.network]))]
    return [*arguments, "--size", str(options.size), "--steps", str(options.steps), "-o", str(out)]


def run(arguments: list[str], cache: Path) -> tuple[float, float, float]:
    """Seconds until the first step and until the end, and processor seconds, of a process on a pseudo-terminal."""
    started = time.perf_counter()
    child, terminal = pty.fork()
    if child == 0:
        # The bar needs a width, and shows every update.
        termios.tcsetwinsize(0, (24, 120))
        os.environ |= {"FEATVIZ_CACHE": str(cache), "TQDM_MININTERVAL": "0"}
        os.execv(arguments[0], arguments)
    output: bytes = b""
    shown: dict[int, float] = {}
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux: the other end is closed
            break
        if not part:
            break
        output += part
        for steps in map(int, DONE.findall(output)):
            shown.setdefault(steps, time.perf_counter() - started)
    _, status, usage = os.wait4(child, 0)
    ended = time.perf_counter() - started
    os.close(terminal)
    if status != 0:
        raise SystemExit(f"`{' '.join(arguments)}` failed:\n{output.decode(errors='replace')}")
    progress = sorted(steps for steps in shown if steps)
    if len(progress) < 2:
        raise SystemExit(f"the bar moved {len(progress)} times; expected --steps of 32 or more")
    first, *later = progress
    pace = (shown[later[-1]] - shown[first]) / (later[-1] - first)
    return shown[first] - first * pace, ended, usage.ru_utime + usage.ru_stime


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
    times: dict[str, list[tuple[float, float, float]]] = {"empty cache": [], "filled cache": []}
    size = 0
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            arguments = command(options, Path(folder) / "picture.png")
            for measured in times.values():
                measured.append(run(arguments, Path(folder) / "cache"))
            size = sum(path.stat().st_size for path in (Path(folder) / "cache").rglob("*") if path.is_file())
    print(f"{'':17} {'first step s':>12} {'range':>13} {'end s':>7} {'range':>13} {'processor s':>11}")
    for name, rows in times.items():
        first, ended, used = zip(*rows, strict=True)
        print(f"{name:17} {median(first):12.2f} {min(first):6.2f}-{max(first):6.2f} "
              f"{median(ended):7.2f} {min(ended):6.2f}-{max(ended):6.2f} {median(used):11.2f}")  # fmt: skip
    print(f"\n{size / 1024:.0f} KiB in the cache")


if __name__ == "__main__":
    main()
