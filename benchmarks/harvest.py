"""What harvested activations cost: processor time for 1000 photographs, and bytes for a million positions.

    python benchmarks/harvest.py [--network deit_tiny] [--layer blocks/6] [--photos 320]

Harvests all positions of a layer on photographs from `FEATVIZ_TEST_DATA` into a temporary folder, in one shard and in
two that are put together; the program is compiled before. One minute on two cores.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "experiments"))

import numpy as np
from data import FOLDER, network

import featviz as fv
from featviz.dictionaries.fitting.activation_store import HELD_OUT, TRAIN
from featviz.dictionaries.fitting.harvest import harvest
from featviz.dictionaries.fitting.harvest_shards import Shard
from featviz.dictionaries.fitting.position_sampling import Sampling


@contextmanager
def timed(what: str, photos: int) -> Iterator[None]:
    """Prints the processor time of a block, and that for 1000 photographs."""
    started = time.process_time()
    yield
    seconds = time.process_time() - started
    print(f"{what}: {seconds:.1f} s, {1e3 * seconds / photos:.1f} s for 1000 photographs", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="deit_tiny")
    parser.add_argument("--layer", default="blocks/6")
    parser.add_argument("--photos", type=int, default=320)
    options = parser.parse_args()
    names = {"deit_tiny": "deit_tiny_patch16_224"}
    model = fv.load(options.network, weights=network(names.get(options.network, options.network)))
    sampling = Sampling()
    files = sorted((FOLDER / "photos").glob("*.jpg"))[: options.photos]
    with tempfile.TemporaryDirectory() as name:
        photos = Path(name) / "photos"
        photos.mkdir()
        for file in files:
            shutil.copy(file, photos)
        harvest(model, options.layer, files[:16], out=Path(name) / "warm", sampling=sampling, progress=False)
        given = {"sampling": sampling, "progress": False}
        with timed("harvested", len(files)):
            whole = harvest(model, options.layer, photos, out=Path(name) / "whole", **given)
        with timed("in two shards", len(files)):
            for index in (1, 2):
                harvest(model, options.layer, photos, out=Path(name) / "shared", shard=Shard(index, 2), **given)
        with timed("put together", len(files)):
            made = harvest(model, options.layer, photos, out=Path(name) / "shared", **given)
        rows = whole.rows(TRAIN) + whole.rows(HELD_OUT)
        kept = [path.stat() for path in whole.path.rglob("*") if path.is_file()]
        taken = sum(file.st_blocks * 512 for file in kept)
        print(
            f"{rows} positions of {whole.units} units: {1e6 * taken / rows / 1e9:.2f} GB for a million, "
            f"{taken / (4 * rows * whole.units):.2f} of float32's; {len(kept)} files"
        )
        chunks = range(0, whole.rows(TRAIN), whole.chunk)
        equal = all(
            np.array_equal(whole.read(TRAIN, start, start + whole.chunk), made.read(TRAIN, start, start + whole.chunk))
            for start in chunks
        )
        print(f"equal: {equal}")


if __name__ == "__main__":
    main()
