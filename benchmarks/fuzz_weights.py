"""Damaged files of weights by the ten thousand: each is loaded, or refused with one line.

    nice -n 19 python benchmarks/fuzz_weights.py --count 10000

Cuts, flipped bits, splices and wrong numbers, the same for the same seed, in files of torch.save (both kinds), Caffe
(both kinds of layers), safetensors and Keras; half of them in a part that lies within, a pickle say, around which the
file is made whole again, so that the damage is not found by a checksum at once. Each kind runs in a process of its own
with at most a gigabyte of memory more than at its start. Exit status 1 if anything but a FeatvizError of one line came
out of a reader, a file took more than a second, or the memory grew by more than 64 MB. Half a minute of one CPU core.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

from featviz.errors import FeatvizError
from featviz.zoo.readers.weight_file import read_tensors

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.mutations import kinds, mutations

MOST_MEMORY = 64
MEGABYTE = 2**20


def peak() -> float:
    """The largest memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def one_kind(name: str, count: int, seed: int) -> dict[str, object]:
    """What became of `count` damaged files of a kind."""
    warnings.simplefilter("error")
    kind = kinds()[name]
    found = {"loaded": 0, "refused": 0, "escaped": []}
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net"
        path.write_bytes(kind.whole)
        read_tensors(path)
        before = peak()
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 1024 * MEGABYTE,) * 2)
        for number, data in enumerate(mutations(kind, count, seed=seed)):
            path.write_bytes(data)
            on_start = time.process_time()
            try:
                read_tensors(path)
                found["loaded"] += 1
            except FeatvizError as error:
                found["refused"] += 1
                if not str(error).isprintable() or "does not fit into memory" in str(error):
                    found["escaped"].append(f"{number}: {error}"[:300])
            except BaseException as error:
                found["escaped"].append(f"{number}: {error!r}"[:300])
            slowest = max(slowest, time.process_time() - on_start)
    return found | {"slowest": slowest, "grown": peak() - before}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(one_kind(options.only, options.count, options.seed)))
        return
    failed = False
    print("| files of | loaded | refused | otherwise | slowest, ms | memory, MB |\n|---|---|---|---|---|---|")
    for name in kinds():
        words = ["--only", name, "--count", str(options.count), "--seed", str(options.seed)]
        child = subprocess.run([sys.executable, __file__, *words], capture_output=True, text=True)
        if child.returncode:
            failed = True
            print(f"| {name} | ended with {child.returncode}: {child.stderr.strip()[-300:]} |")
            continue
        told = json.loads(child.stdout)
        counts = f"{told['loaded']:,} | {told['refused']:,} | {len(told['escaped'])}"
        print(f"| {name} | {counts} | {1000 * told['slowest']:.0f} | {told['grown']:.0f} |", flush=True)
        for escaped in told["escaped"][:5]:
            print("   ", escaped)
        failed |= bool(told["escaped"]) or told["slowest"] > 1 or told["grown"] > MOST_MEMORY
    sys.exit(failed)


if __name__ == "__main__":
    main()
