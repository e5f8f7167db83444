"""featviz, lucent and horama compared: whole processes, the same GoogLeNet weights, the same units and steps.

    python benchmarks/peers.py default --peers-python PEERS/bin/python    # each system with its defaults
    python benchmarks/peers.py same224 --peers-python PEERS/bin/python    # the same network input, 224 px, for all
    python benchmarks/peers.py reach   --peers-python PEERS/bin/python    # until featviz has lucent's scores

PEERS is a separate environment, in which torch's CPU build is enough:

    python -m venv PEERS
    PEERS/bin/pip install torch==2.13.0 numpy pillow safetensors tqdm decorator ipython matplotlib einops
    PEERS/bin/pip install --no-deps torch-lucent==0.1.8 horama==0.3.0 kornia==0.4.1

kornia 0.4.1 is the newest version that lucent 0.1.8 allows. If torchvision is not installed, `shim/` has the few
functions of it that they import. `peers_torch.py` describes the systems. `featviz-cold` starts with an empty cache of
compiled programs, `featviz-warm` with what the cold run left.

- `default`: every picture takes `--steps` steps. lucent optimizes 128 px, upsamples them to 224 px in every step and
  runs the whole network; featviz runs 128 px up to the layer; horama optimizes 1280 px and sees six crops of 224 px per
  step, one picture per call, so only `--horama-units` are made and the time for all is extrapolated, marked `~`.
- `same224`: pictures of 224 px, which the network sees at 224 px once per step; twice in horama, which fails with one
  crop.
- `reach`: lucent's pictures after `--reach-steps` steps set each unit's score, by `peers_score.py`. The fewest steps of
  `--sweep` with which featviz reaches it, for the median unit and for all, are then timed as whole processes. horama is
  omitted: it never evaluates its whole canvas at once.

The systems take turns within each round, each in a new process. Prints medians over the rounds and the median of the
rounds' ratios to featviz, which are comparable between machines; and `NOT QUIET` if other processes used the cores,
since the threads of both sides wait for one another and slow down many times over, and by different factors.
Hardware: two CPU cores. Time and expected numbers: benchmarks/README.md.
"""

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from datetime import date
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "experiments"))

from data import network
from peers_launch import Report, launch
from peers_reach import reach

SYSTEMS = ("featviz-cold", "featviz-warm", "lucent", "lucent-batch", "lucent-cut", "horama-fourier", "horama-maco")
# Cores that other processes may use before a time counts as disturbed.
MAX_BUSY = 0.1
PARTS = ("import_s", "load_s", "first_s", "loop_s")


def compare(options: argparse.Namespace) -> list[Report]:
    """Runs the rounds of all systems in turns."""
    reports = []
    for index in range(1, options.rounds + 1):
        for system in options.systems:
            units = options.units[: options.horama_units] if system.startswith("horama") else options.units
            size = 224 if options.setting == "same224" else None if system.startswith("horama") else options.size
            name = f"{system}-round{index}"
            reports.append(launch(system, options, units=units, steps=options.steps, size=size, name=name))
    return reports


def seconds_for(report: Report, units: int) -> float:
    """Seconds of the process for `units` pictures, extrapolated if it made fewer."""
    more = units / report["units"] - 1
    extra: float = more * (report["first_s"] + report["loop_s"])
    return report["whole_s"] + extra


def print_table(reports: list[Report], units: int) -> None:
    """A row per system and number of steps: medians over the rounds, and ratios to featviz in the same round."""
    rows: dict[tuple[str, int], list[Report]] = {}
    for report in reports:
        rows.setdefault((report["system"], report["steps"]), []).append(report)
    bases = [key for key in rows if key[0].startswith("featviz")]
    names = [f"/ {system} {steps}" for system, steps in bases]
    print(f"\n{'system':17} {'steps':>5} {'whole s':>9} {'range':>15} {'import':>6} {'load':>5} {'first':>6} "
          + f"{'loop':>7} {'ms a step':>9}  {'  '.join(names)}")  # fmt: skip
    for (system, steps), group in rows.items():
        totals = [seconds_for(report, units) for report in group]
        sign = "~" if group[0]["units"] < units else ""
        parts = [median(report[part] for report in group) for part in PARTS]
        paces = [report["step_ms"] for report in group if report["step_ms"]]
        ratios = [
            median(seconds / seconds_for(other, units) for seconds, other in zip(totals, rows[base], strict=False))
            for base in bases
        ]
        print(f"{system:17} {steps:5d} {sign + format(median(totals), '.1f'):>9} "
              f"{format(min(totals), '.1f') + '-' + format(max(totals), '.1f'):>15} "
              f"{parts[0]:6.1f} {parts[1]:5.1f} {parts[2]:6.1f} {parts[3]:7.1f} "
              f"{format(median(paces), '.1f') if paces else '-':>9}  "
              + "  ".join(f"{ratio:>{len(name)}.2f}" for ratio, name in zip(ratios, names, strict=True)))  # fmt: skip
    print_disturbed(reports)
    variants = [key for key in rows if key[0].startswith("lucent") and not key[0].endswith("cut")]
    if variants and bases:
        better = min(variants, key=lambda key: median(seconds_for(report, units) for report in rows[key]))
        print(f"\nlucent's faster variant: {better[0]}")


def print_disturbed(reports: list[Report]) -> None:
    """Prints which processes shared the machine, which slows PyTorch's threads down tenfold."""
    disturbed = [report for report in reports if report["others"] > MAX_BUSY]
    if disturbed:
        worst = max(disturbed, key=lambda report: report["others"])
        print(f"\nNOT QUIET: during {len(disturbed)} of {len(reports)} processes more than {MAX_BUSY} cores were busy "
              f"with other processes, at most {worst['others']:.2f} ({worst['system']}); "
              "do not use these times")  # fmt: skip


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def parse_units(text: str) -> list[int]:
    """`100-107` or `3,5,9`."""
    first, _, last = text.partition("-")
    return list(range(int(first), int(last) + 1)) if last else [int(unit) for unit in text.split(",")]


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("setting", choices=["default", "same224", "reach"])
    parser.add_argument("--peers-python", required=True, help="The interpreter of the peers' environment.")
    parser.add_argument("--systems", default=",".join(SYSTEMS[:6]), help=f"{', '.join(SYSTEMS)}, lucent-batch-cut.")
    parser.add_argument("--units", type=parse_units, default=list(range(100, 108)))
    parser.add_argument("--horama-units", type=int, default=1)
    parser.add_argument("--layer", default="inception_4c")
    parser.add_argument("--steps", type=int, default=256)
    parser.add_argument("--size", type=int, default=128, help="Of featviz and lucent; 224 in same224.")
    parser.add_argument("--recipe", default="default", help="featviz's recipe.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--reach-steps", type=int, default=512, help="lucent's steps in reach.")
    parser.add_argument("--sweep", default="8,12,16,24,32,48,64,96,128", help="featviz's steps in reach.")
    parser.add_argument("--channels-last", action="store_true", help="Channels-last memory layout in PyTorch.")
    parser.add_argument("--json", type=Path, help="File for the reports of all processes.")
    parser.add_argument("--work", type=Path, help="Folder for all pictures; a temporary one if not given.")
    options = parser.parse_args()
    options.systems = options.systems.split(",")
    options.sweep = sorted(int(steps) for steps in options.sweep.split(","))
    options.weights = network("googlenet").resolve()
    # Not resolved: an environment's interpreter is a link, and knows by its own place where its packages are.
    options.peers_python = os.path.abspath(shutil.which(options.peers_python) or options.peers_python)
    return options


def main() -> None:
    options = parse_options()
    with tempfile.TemporaryDirectory() as temporary:
        options.work = (options.work or Path(temporary)).resolve()
        # Untimed runs, so that files are in memory and bytecode is written.
        for system in options.systems:
            size = 64 if system.startswith("featviz") else 224
            launch(system, options, units=options.units[:1], steps=2, size=size, name=f"untimed-{system}")
        if options.setting == "reach" or "featviz-cold" not in options.systems:
            # Fills the cache for featviz-warm if no cold run of this size does.
            size = 224 if options.setting == "same224" else options.size
            launch("featviz-warm", options, units=options.units, steps=2, size=size, name="untimed-prime")
        reports = reach(options) if options.setting == "reach" else compare(options)
        versions = {name: number for report in reports for name, number in report["versions"].items()}
        print(f"\n{date.today()}, {processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
              + ", ".join(f"{name} {number}" for name, number in sorted(versions.items())))  # fmt: skip
        print(f"{options.setting}: {options.layer}, {len(options.units)} units, {options.rounds} rounds, "
              f"{'channels last' if options.channels_last else 'default layout'}")  # fmt: skip
        print_table(reports, len(options.units))
        if options.json:
            options.json.write_text(json.dumps(reports, indent=1))


if __name__ == "__main__":
    main()
