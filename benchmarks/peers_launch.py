"""The processes of `peers.py`: starts a system, times it from outside, and returns its report."""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
Report = dict[str, Any]


def command(
    system: str, options: argparse.Namespace, units: list[int], steps: int, size: int | None, out: Path
) -> list[str]:
    """The command of a process that renders `units` into the folder `out`."""
    weights = ["--weights", str(options.weights)]
    if system.startswith("featviz"):
        target = f"{options.layer}:{','.join(map(str, units))}"
        words = [sys.executable, str(HERE / "peers_featviz.py"), "render", "googlenet", target, *weights]
        words += ["--steps", str(steps), "--recipe", options.recipe, "-o", f"{out}/", "--quiet"]
        return [*words, "--size", str(size)] if size else words
    words = [options.peers_python, str(HERE / "peers_torch.py"), system, *weights, "--layer", options.layer]
    words += ["--units", ",".join(map(str, units)), "--steps", str(steps), "--out", str(out)]
    words += ["--spectrum", str(options.weights.parent / "natural_spectrum.npy")]
    words += ["--size", str(size)] if size else []
    return [*words, "--channels-last"] if options.channels_last else words


def launch(
    system: str, options: argparse.Namespace, *, units: list[int], steps: int, size: int | None, name: str
) -> Report:
    """Runs one system and returns its report, with `whole_s`, the wall-clock time, and `folder`, of the pictures.

    `cpu_s` is its processor time, `others` the mean number of cores that other processes used meanwhile.
    `featviz-cold` starts with an empty cache of compiled programs, `featviz-warm` with what the run before left.
    """
    out, cache = options.work / name, options.work / "cache"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    if system == "featviz-cold":
        shutil.rmtree(cache, ignore_errors=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JAX_COMPILATION_CACHE")}
    environment |= {"FEATVIZ_CACHE": str(cache)}
    words = command(system, options, units, steps, size, out)
    used, busy, started = children_seconds(), machine_seconds(), time.perf_counter()
    done = subprocess.run(words, env=environment, cwd=out, capture_output=True, text=True)
    elapsed = time.perf_counter() - started
    used, busy = children_seconds() - used, machine_seconds() - busy
    if done.returncode:
        sys.exit(f"{system} failed: {' '.join(words)}\n{done.stderr[-2000:]}")
    report: Report = json.loads(done.stdout.splitlines()[-1])
    report |= {"system": system, "units": len(units), "steps": steps, "whole_s": elapsed, "folder": str(out)}
    report |= {"cpu_s": used, "others": max(busy - used, 0.0) / elapsed}
    print(f"  {name}: {elapsed:.1f} s, {used:.1f} s of cores, {report['others']:.2f} cores used by others",
          file=sys.stderr, flush=True)  # fmt: skip
    return report


def children_seconds() -> float:
    """Processor seconds of all child processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def machine_seconds() -> float:
    """Processor seconds of all processes of the machine; 0 if unavailable."""
    try:
        user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    except (OSError, ValueError):
        return 0.0
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def score(options: argparse.Namespace, folders: list[str]) -> dict[str, dict[str, dict[str, float]]]:
    """Folder -> unit -> `original` and `upsampled`, by `peers_score.py` in the peers' environment."""
    words = [options.peers_python, str(HERE / "peers_score.py"), "--weights", str(options.weights)]
    done = subprocess.run([*words, "--layer", options.layer, *folders], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"the scoring failed:\n{done.stderr[-2000:]}")
    scores: dict[str, dict[str, dict[str, float]]] = json.loads(done.stdout)
    return scores
