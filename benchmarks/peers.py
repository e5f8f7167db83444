"""featviz beside lucent and horama: whole process against whole process, same GoogLeNet weights, same units and steps.

    python benchmarks/peers.py default --peers-python PEERS/bin/python    # each in its own default way
    python benchmarks/peers.py same224 --peers-python PEERS/bin/python    # the same network input, 224 px, for all
    python benchmarks/peers.py reach   --peers-python PEERS/bin/python    # until featviz scores what lucent does

PEERS is an environment of their own, in which torch's CPU build is enough:

    python -m venv PEERS
    PEERS/bin/pip install torch==2.13.0 numpy pillow safetensors tqdm decorator ipython matplotlib einops
    PEERS/bin/pip install --no-deps torch-lucent==0.1.8 horama==0.3.0 kornia==0.4.1

kornia 0.4.1 is the newest that lucent 0.1.8 allows. Where torchvision is not installed, `shim/` has the few
functions of it that they import. What each system is: `peers_torch.py`. `featviz-cold` has nothing compiled,
`featviz-warm` what the cold one left.

- `default`: every picture takes `--steps` steps. lucent optimizes 128 px, upsamples them to 224 px in every step and
  runs the whole network; featviz runs 128 px up to the layer; horama optimizes 1280 px and looks at six crops of 224 px
  a step, one picture a call, so only `--horama-units` are made and the time for all is extrapolated, marked `~`.
- `same224`: pictures of 224 px seen at 224 px, once a step; twice by horama, which fails with one crop.
- `reach`: lucent's pictures after `--reach-steps` steps set each unit's score, by `peers_score.py`; the fewest steps of
  `--sweep` with which featviz reaches it, for the median unit and for all, are then timed as whole processes. horama is
  left out: its canvas is never seen at once.

The systems take turns within each round, every one in a fresh process. Printed: medians over the rounds, and the median
of the rounds' ratios to featviz, which travel between machines as seconds do not; and `NOT QUIET` where something else
had the cores, since both sides' threads wait for one another and slow down many times over, not alike.
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
# Cores that may be busy with something else before a time counts as disturbed.
QUIET = 0.1
PARTS = ("import_s", "load_s", "first_s", "loop_s")


def compare(options: argparse.Namespace) -> list[Report]:
    """Rounds of all systems, one after the other."""
    reports = []
    for number in range(1, options.rounds + 1):
        for system in options.systems:
            few = options.units[: options.horama_units] if system.startswith("horama") else options.units
            size = 224 if options.setting == "same224" else None if system.startswith("horama") else options.size
            name = f"{system}-round{number}"
            reports.append(launch(system, options, units=few, steps=options.steps, size=size, name=name))
    return reports


def whole_for(report: Report, units: int) -> float:
    """Seconds of the whole process for `units` pictures, extrapolated where it made fewer."""
    more = units / report["units"] - 1
    extra: float = more * (report["first_s"] + report["loop_s"])
    return report["whole_s"] + extra


def print_table(reports: list[Report], units: int) -> None:
    """A row for each system and number of steps: medians over the rounds, and ratios to featviz of the same round."""
    rows: dict[tuple[str, int], list[Report]] = {}
    for report in reports:
        rows.setdefault((report["system"], report["steps"]), []).append(report)
    bases = [key for key in rows if key[0].startswith("featviz")]
    names = [f"/ {system} {steps}" for system, steps in bases]
    print(f"\n{'system':17} {'steps':>5} {'whole s':>9} {'range':>15} {'import':>6} {'load':>5} {'first':>6} "
          + f"{'loop':>7} {'ms a step':>9}  {'  '.join(names)}")  # fmt: skip
    for (system, steps), group in rows.items():
        wholes = [whole_for(report, units) for report in group]
        sign = "~" if group[0]["units"] < units else ""
        parts = [median(report[part] for report in group) for part in PARTS]
        paces = [report["step_ms"] for report in group if report["step_ms"]]
        ratios = [
            median(whole / whole_for(other, units) for whole, other in zip(wholes, rows[base], strict=False))
            for base in bases
        ]
        print(f"{system:17} {steps:5d} {sign + format(median(wholes), '.1f'):>9} "
              f"{format(min(wholes), '.1f') + '-' + format(max(wholes), '.1f'):>15} "
              f"{parts[0]:6.1f} {parts[1]:5.1f} {parts[2]:6.1f} {parts[3]:7.1f} "
              f"{format(median(paces), '.1f') if paces else '-':>9}  "
              + "  ".join(f"{ratio:>{len(name)}.2f}" for ratio, name in zip(ratios, names, strict=True)))  # fmt: skip
    print_disturbed(reports)
    lucents = [key for key in rows if key[0].startswith("lucent") and not key[0].endswith("cut")]
    if lucents and bases:
        better = min(lucents, key=lambda key: median(whole_for(report, units) for report in rows[key]))
        print(f"\nlucent's better way, as it comes: {better[0]}")


def print_disturbed(reports: list[Report]) -> None:
    """Says which processes shared the machine: PyTorch's threads wait for one another, and slow down tenfold then."""
    disturbed = [report for report in reports if report["others"] > QUIET]
    if disturbed:
        worst = max(disturbed, key=lambda report: report["others"])
        print(f"\nNOT QUIET: during {len(disturbed)} of {len(reports)} processes more than {QUIET} cores were busy "
              f"with something else, at most {worst['others']:.2f} ({worst['system']}); "
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
    parser.add_argument("--systems", default=",".join(SYSTEMS[:6]), help=f"Of {', '.join(SYSTEMS)}, lucent-batch-cut.")
    parser.add_argument("--units", type=parse_units, default=list(range(100, 108)))
    parser.add_argument("--horama-units", type=int, default=1)
    parser.add_argument("--layer", default="inception_4c")
    parser.add_argument("--steps", type=int, default=256)
    parser.add_argument("--size", type=int, default=128, help="Of featviz's and lucent's pictures; 224 in same224.")
    parser.add_argument("--recipe", default="default", help="Of featviz.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--reach-steps", type=int, default=512, help="Of lucent, in reach.")
    parser.add_argument("--sweep", default="8,12,16,24,32,48,64,96,128", help="Of featviz's steps, in reach.")
    parser.add_argument("--channels-last", action="store_true", help="PyTorch's other memory layout.")
    parser.add_argument("--json", type=Path, help="Where to keep every process's report.")
    parser.add_argument("--work", type=Path, help="A folder that keeps all pictures; else a temporary one.")
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
        # Files are in the machine's memory and bytecode is written before anything counts.
        for system in options.systems:
            size = 64 if system.startswith("featviz") else 224
            launch(system, options, units=options.units[:1], steps=2, size=size, name=f"untimed-{system}")
        if options.setting == "reach" or "featviz-cold" not in options.systems:
            # What featviz-warm finds in the cache, where no cold run of this size goes before it.
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
