"""The peak memory of a large dream in tiles, and its seams.

    python benchmarks/dream_memory.py --weights googlenet.safetensors --photo PHOTO [--side 4096] [--steps 2]

A process of its own dreams a photo enlarged to SIDE x SIDE of GoogLeNet's inception_4c, with two octaves of a few
steps (more of them take more time and no more memory), and its peak resident memory is read from the kernel. The step
of the gradient across tile borders is compared with that inside tiles: mean |g(p) - g(p')| of neighbors p, p' on two
sides of a border, over that of neighbors 9 to 40 pixels
away. 1 means that no seam shows.

On 2 shared cores with jax 0.10: 4096 x 4096 in 134 s, peak 2.46 GiB, .953 across borders.
"""

import argparse
import resource
import subprocess
import sys
import time

import numpy as np


def work(arguments: argparse.Namespace) -> None:
    """The dream itself, in this process."""
    from PIL import Image

    import featviz as fv
    from featviz.dreaming.prepared_dream import prepare_dream
    from featviz.dreaming.tiles import tiles_of

    model = fv.load("googlenet", weights=arguments.weights)
    side = arguments.side
    with Image.open(arguments.photo) as image:
        photo = np.asarray(image.convert("RGB").resize((side, side), Image.Resampling.LANCZOS), np.float32) / 255
    began = time.perf_counter()
    picture = fv.dream(model, photo, fv.deepdream(arguments.layer), octaves=2, steps=arguments.steps)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    prepared = prepare_dream(model, (side, side), fv.deepdream(arguments.layer))
    tiling = prepared.gradient_of.tiling
    print(f"{side} x {side}: {seconds:.0f} s for 2 octaves of {arguments.steps} steps, peak {peak:.2f} GiB, {tiling}")
    # Seams are looked for on a part of two by two tiles, unshifted.
    part = np.ascontiguousarray(picture.pixels[: 2 * tiling.pitch + 64, : 2 * tiling.pitch + 64])
    size = (part.shape[0], part.shape[1])
    _, gradient = prepared.gradient_of(part, (0, 0))
    borders = sorted({tile.core[1].start for tile in tiles_of(size, tiling, (0, 0))} - {0})

    def jump(at: int) -> float:
        return float(np.abs(gradient[:, at] - gradient[:, at - 1]).mean())

    across = np.mean([jump(at) for at in borders])
    inside = np.mean(
        [jump(at + off) for at in borders for off in range(-40, 41) if abs(off) > 8 and 1 < at + off < size[1]]
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
    known = parser.parse_args()
    if known.here:
        work(known)
    else:
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--here"], check=True)
