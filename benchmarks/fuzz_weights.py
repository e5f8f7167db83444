"""Damaged weight files: each is loaded, or refused with a one-line error.

    nice -n 19 python benchmarks/fuzz_weights.py --count 10000

Truncated files, flipped bits, spliced bytes and wrong numbers, determined by the seed, in files of torch.save (both
formats), Caffe (both kinds of layers), safetensors and Keras. Half of the damage is inside a part, such as a pickle,
and the file around it is rebuilt, so that no checksum detects it at once. Each kind runs in another process with at
most a gigabyte of additional memory. Exit status 1 if a reader raised anything but a one-line FeatvizError, a file took
more than a second, or the memory grew by more than 64 MB. One CPU core, half a minute. Expected: exit status 0.
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

MAX_GROWTH = 64
MEGABYTE = 2**20


def peak() -> float:
    """Peak memory of this process, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def one_kind(name: str, count: int, seed: int) -> dict[str, object]:
    """Counts of loaded and refused files of a kind, unexpected errors, slowest time and memory growth."""
    warnings.simplefilter("error")
    kind = kinds()[name]
    loaded = refused = 0
    unexpected: list[str] = []
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net"
        path.write_bytes(kind.whole)
        read_tensors(path)
        before = peak()
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 1024 * MEGABYTE,) * 2)
        for index, data in enumerate(mutations(kind, count, seed=seed)):
            path.write_bytes(data)
            started = time.process_time()
            try:
                read_tensors(path)
                loaded += 1
            except FeatvizError as error:
                refused += 1
                if not str(error).isprintable() or "does not fit into memory" in str(error):
                    unexpected.append(f"{index}: {error}"[:300])
            except BaseException as error:
                unexpected.append(f"{index}: {error!r}"[:300])
            slowest = max(slowest, time.process_time() - started)
    return {
        "loaded": loaded,
        "refused": refused,
        "unexpected": unexpected,
        "slowest": slowest,
        "growth": peak() - before,
    }


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
    print("| files of | loaded | refused | unexpected errors | slowest, ms | memory, MB |\n|---|---|---|---|---|---|")
    for name in kinds():
        arguments = ["--only", name, "--count", str(options.count), "--seed", str(options.seed)]
        child = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True)
        if child.returncode:
            failed = True
            print(f"| {name} | ended with {child.returncode}: {child.stderr.strip()[-300:]} |")
            continue
        result = json.loads(child.stdout)
        counts = f"{result['loaded']:,} | {result['refused']:,} | {len(result['unexpected'])}"
        print(f"| {name} | {counts} | {1000 * result['slowest']:.0f} | {result['growth']:.0f} |", flush=True)
        for error in result["unexpected"][:5]:
            print("   ", error)
        failed |= bool(result["unexpected"]) or result["slowest"] > 1 or result["growth"] > MAX_GROWTH
    sys.exit(failed)


if __name__ == "__main__":
    main()
