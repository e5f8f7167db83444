"""Peak memory of a large dream in tiles, and its seams.

    python benchmarks/dream_memory.py --weights googlenet.safetensors --photo PHOTO [--side 4096] [--steps 2]

Another process dreams a photo, enlarged to SIDE x SIDE, with GoogLeNet's inception_4c and two octaves of a few steps
(more steps take more time and no more memory). The kernel reports its peak resident memory. The step of the gradient
across tile borders is compared to that inside tiles: mean |g(p) - g(p')| of neighbors p, p' on both sides of a border,
divided by that of neighbors 9 to 40 pixels away. No seam is visible at 1.

Hardware: two CPU cores. Time: 134 s for 4096 x 4096. Expected: peak 2.46 GiB, .953 across borders.
"""

import argparse
import resource
import subprocess
import sys
import time

import numpy as np


def dream(options: argparse.Namespace) -> None:
    """Dreams in this process, and prints the memory and the seams."""
    from PIL import Image

    import featviz as fv
    from featviz.dreaming.prepared_dream import prepare_dream
    from featviz.dreaming.tiles import tiles_of

    model = fv.load("googlenet", weights=options.weights)
    side = options.side
    with Image.open(options.photo) as image:
        photo = np.asarray(image.convert("RGB").resize((side, side), Image.Resampling.LANCZOS), np.float32) / 255
    started = time.perf_counter()
    picture = fv.dream(model, photo, fv.deepdream(options.layer), octaves=2, steps=options.steps)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    prepared = prepare_dream(model, (side, side), fv.deepdream(options.layer))
    tiling = prepared.gradient_of.tiling
    print(f"{side} x {side}: {seconds:.0f} s for 2 octaves of {options.steps} steps, peak {peak:.2f} GiB, {tiling}")
    # The seams of two by two tiles, unshifted.
    part = np.ascontiguousarray(picture.pixels[: 2 * tiling.pitch + 64, : 2 * tiling.pitch + 64])
    size = (part.shape[0], part.shape[1])
    _, gradient = prepared.gradient_of(part, (0, 0))
    borders = sorted({tile.core[1].start for tile in tiles_of(size, tiling, (0, 0))} - {0})

    def jump(column: int) -> float:
        return float(np.abs(gradient[:, column] - gradient[:, column - 1]).mean())

    across = np.mean([jump(border) for border in borders])
    inside = np.mean(
        [
            jump(border + offset)
            for border in borders
            for offset in range(-40, 41)
            if abs(offset) > 8 and 1 < border + offset < size[1]
        ]
    )
    print(f"borders at {borders}: step of the gradient across them {across / inside:.3f} of that inside tiles")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True)
    parser.add_argument("--photo", required=True)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--layer", default="inception_4c")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        dream(options)
    else:
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--here"], check=True)
