"""How many entries per second one process stores, the bottleneck of an atlas on many Ray workers.

    python benchmarks/atlas_writes.py

Writes pictures of 128 px with 128 steps, as the default recipe makes them, through the atlas's store into a temporary
folder. The pixels are those of a rendered picture, so that they compress as pictures do. Ten seconds.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

import featviz as fv
from featviz.atlas.atlas_store import open_store
from featviz.pictures.picture import Picture


def pictures(count: int, size: int, steps: int) -> list[Picture]:
    """Different pictures that compress alike: a rendered one, shifted each time."""
    rendered = fv.render(fv.load("patterns"), fv.channel("mixed4a", 0), size=size, steps=8, progress=False)
    history = np.linspace(0, 1, steps, dtype=np.float32)
    return [
        Picture(
            np.roll(rendered.pixels, 7 * index, axis=1), rendered.score, rendered.outcome, history, rendered.provenance
        )
        for index in range(count)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=1000)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=128)
    options = parser.parse_args()
    samples = pictures(16, options.size, options.steps)
    with tempfile.TemporaryDirectory() as name:
        store = open_store(Path(name) / "atlas", writable=True, create=True)
        entries = store.add_series("pictures/layer/main-0", samples[0].pixels.shape, options.entries, options.steps, {})
        started, busy = time.perf_counter(), time.process_time()
        for unit in range(options.entries):
            entries.write(unit, [samples[unit % len(samples)]])
        seconds, busy = time.perf_counter() - started, time.process_time() - busy
        files = [path for path in Path(name).rglob("*") if "zarr.json" not in path.name]
        taken = sum(path.lstat().st_blocks * 512 for path in files)
        print(
            f"{options.entries / seconds:.0f} entries per second, {1e3 * seconds / options.entries:.1f} ms each, "
            f"{1e3 * busy / options.entries:.1f} ms of it a processor's; on the disk "
            f"{taken / options.entries / 1e3:.1f} kB and {len(files) / options.entries:.1f} files and folders each"
        )


if __name__ == "__main__":
    main()
