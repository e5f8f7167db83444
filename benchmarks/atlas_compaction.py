"""The files of a large layer before and after compaction, and what compaction and reading take.

    python benchmarks/atlas_compaction.py --units 32768

Writes sixteen entries of 128 px with 128 steps as a run does, whose pixels are those of a rendered picture, rolled, and
copies their files for all other units: the same bytes as a run's. Then it compacts them, compares a sample of entries
with what was written, adds one and compacts again. Times are those of the processor. 4 GB of disk for 32,768 units.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import zarr
from atlas_writes import pictures

from featviz.atlas.atlas_store import open_store
from featviz.atlas.compaction import compact_series

PATH = "pictures/layer/main-0"


@contextmanager
def timed(what: str, count: int) -> Iterator[None]:
    """Prints the processor time of a block, in all and for each of `count` units."""
    started = time.process_time()
    yield
    seconds = time.process_time() - started
    print(f"{what}: {seconds:.1f} s, {1e3 * seconds / count:.2f} ms each", flush=True)


def copy_entries(folder: Path, count: int, units: int) -> None:
    """Copies the files of the first `count` units for all others, in turn."""
    for file in sorted(folder.rglob("c.*")):
        _, number, *others = file.name.split(".")
        for unit in range(int(number) + count, units, count):
            shutil.copyfile(file, file.with_name(".".join(["c", str(unit), *others])))


def describe(folder: Path) -> str:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return f"{len(files)} files, {sum(path.stat().st_blocks * 512 for path in files) / 1e9:.2f} GB on the disk"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=32768)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=128)
    parser.add_argument("--folder", type=Path, help="where the atlas is made, then removed")
    options = parser.parse_args()
    samples, units = pictures(16, options.size, options.steps), options.units
    folder = Path(tempfile.mkdtemp(dir=options.folder)) / "atlas"
    try:
        store = open_store(folder, writable=True, create=True)
        entries = store.add_series(PATH, samples[0].pixels.shape, units, options.steps, {"layer": "l", "role": "main"})
        for unit, picture in enumerate(samples):
            entries.write(unit, [picture])
        copy_entries(folder / PATH, len(samples), units)
        print(describe(folder), flush=True)
        sample = np.random.default_rng(0).choice(units, 64, replace=False).tolist()
        with timed("64 entries read", 64):
            before = [entries.pixels(unit) for unit in sample]
        with timed("compacted", units):
            print(compact_series(store, PATH))
        print(describe(folder))
        with timed("64 entries read", 64):
            after = [entries.pixels(unit) for unit in sample]
        array = zarr.open_group(str(folder), mode="r")[f"{PATH}/pixels"]
        alone = [np.asarray(array[unit])[None] for unit in sample]
        print(f"equal: {np.array_equal(before, after) and np.array_equal(before, alone)}")
        with timed("written, all listed", units):
            print(len(entries.written()))
        entries.write(0, [samples[1]])
        with timed("one more compacted", 1):
            print(compact_series(store, PATH))
    finally:
        shutil.rmtree(folder.parent)


if __name__ == "__main__":
    main()
