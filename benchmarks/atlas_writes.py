"""How many entries a second one process stores: what bounds an atlas that is drawn by many workers on Ray.

    python benchmarks/atlas_writes.py

Writes pictures of 128 px with 128 steps, as the default recipe draws, through the atlas's own store into a temporary
folder. The pixels are a drawn picture's, smooth, so that they compress as pictures do. Ten seconds.
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
    """Pictures that are alike and not the same: one that was drawn, each time rolled further."""
    drawn = fv.render(fv.load("patterns"), fv.channel("mixed4a", 0), size=size, steps=8, progress=False)
    history = np.linspace(0, 1, steps, dtype=np.float32)
    return [
        Picture(np.roll(drawn.pixels, 7 * number, axis=1), drawn.score, drawn.outcome, history, drawn.provenance)
        for number in range(count)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=1000)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=128)
    options = parser.parse_args()
    some = pictures(16, options.size, options.steps)
    with tempfile.TemporaryDirectory() as name:
        store = open_store(Path(name) / "atlas", writable=True, create=True)
        entries = store.add("pictures/layer/main-0", some[0].pixels.shape, options.entries, options.steps, {})
        begun, busy = time.perf_counter(), time.process_time()
        for unit in range(options.entries):
            entries.write(unit, [some[unit % len(some)]])
        seconds, busy = time.perf_counter() - begun, time.process_time() - busy
        files = [path for path in Path(name).rglob("*") if "zarr.json" not in path.name]
        taken = sum(path.lstat().st_blocks * 512 for path in files)
        print(
            f"{options.entries / seconds:.0f} entries a second, {1e3 * seconds / options.entries:.1f} ms each, "
            f"{1e3 * busy / options.entries:.1f} ms of it a processor's; on the disk "
            f"{taken / options.entries / 1e3:.1f} kB and {len(files) / options.entries:.1f} files and folders each"
        )


if __name__ == "__main__":
    main()
