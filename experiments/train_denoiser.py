"""Trains the denoiser that is featviz's natural prior, and draws a sheet to look at.

    python experiments/train_denoiser.py --seconds 300 --half --batch 512 --out natural_prior.safetensors     # a GPU
    python experiments/train_denoiser.py --seconds 5400 --batch 16 --torch --out natural_prior.safetensors    # a CPU

Photographs: `photos_train` of $FEATVIZ_TEST_DATA, or `--photos`; every 20th is held out. Beside FILE.safetensors come
FILE.png, a sheet of denoised crops and of images drawn from the denoiser alone, and while it trains
FILE.checkpoint.safetensors, which `--resume` goes on from. Time counts from the start, with reading and compilation.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from data import FOLDER
from PIL import Image

from featviz.common.files import check_writable
from featviz.common.photograph import is_image_name
from featviz.errors import FeatvizError
from featviz.priors.crops import read_pyramids
from featviz.priors.denoiser import Denoiser, denoise, weight_count
from featviz.priors.fit import FitReport, Length, fit, measure_colors
from featviz.priors.held_out import SIGMAS, HeldOut, held_out_crops, split_photographs
from featviz.priors.prior_files import PriorRecord, write_prior
from featviz.priors.sampling import sample_images
from featviz.priors.training_step import FitSettings, FitState
from featviz.priors.unet import DenoiserConfig, Weights

STARTED = time.monotonic()
SOURCES = (
    "312 photographs: 247 of the Cloudinary Image Dataset '22 (CC BY-SA 4.0, Sneyers and others), 41 of CLIC 2025's "
    "validation and test sets (Unsplash License), 24 of Kodak's (unrestricted)"
)
# Sizes of the images that are drawn from the denoiser alone, and how many of each.
SAMPLES = ((64, 32), (128, 32), (224, 8))
WIDTH = 1024  # pixels of the sheet


def seconds() -> float:
    return time.monotonic() - STARTED


def say(text: str) -> None:
    print(f"{seconds():6.1f} s  {text}", flush=True)


def describe(report: FitReport) -> None:
    say(
        f"step {report.step}/{report.total}  loss {report.loss:.4f}  {report.steps_per_second:.1f} steps/s  "
        f"held out {format_losses(report.held_out)}  trained {format_losses(report.trained)}"
    )


def format_losses(table: dict[int, list[float]]) -> str:
    return "  ".join(f"{size} px " + " ".join(f"{loss:.4f}" for loss in losses) for size, losses in table.items())


def draw_sheet(denoiser: Denoiser, crops: list[HeldOut], samples: tuple[tuple[int, int], ...]) -> Image.Image:
    """Held-out crops, each noise level's noisy and denoised ones below, and images drawn from the denoiser alone."""
    run = jax.jit(partial(denoise, denoiser.config))
    apply = partial(run, denoiser.weights)
    rows = []
    for size, images, noise in crops:
        count = min(WIDTH // size, images.shape[1])
        rows.append(images[0, :count])
        for sigma in SIGMAS:
            noisy = images[0] + sigma * noise[0]
            denoised = apply(noisy, jnp.full(len(noisy), sigma))
            rows += [noisy[:count], denoised[:count]]
    for size, number in samples:
        shape = (number, size, size, denoiser.config.channels)
        drawn = sample_images(jax.random.key(size), apply, shape, mean=denoiser.config.mean)
        across = WIDTH // size
        rows += [drawn[first : first + across] for first in range(0, number, across)]
        say(f"{number} images of {size} px are drawn")
    return Image.fromarray(np.concatenate([as_row(np.asarray(row)) for row in rows]))


def as_row(images: np.ndarray) -> np.ndarray:
    """Images side by side, 8 bits, in a row as wide as the sheet."""
    values = np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)
    row = np.concatenate(list(np.broadcast_to(values, (*values.shape[:3], 3))), axis=1)
    return np.pad(row, ((0, 2), (0, max(0, WIDTH - row.shape[1])), (0, 0)))[:, :WIDTH]


def pytorch_step(config: DenoiserConfig, settings: FitSettings) -> Callable[..., tuple[FitState, float]]:
    from denoiser_torch import torch_step

    return torch_step(config, settings)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, default=FOLDER / "photos_train")
    parser.add_argument("--trained-on", default="", help="their sources and licenses, in words")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, help="by default beside the output")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--steps", type=int, help="of the learning rate's schedule")
    parser.add_argument("--seconds", type=float, help="until the training ends, from the start of this process")
    parser.add_argument("--every", type=int, default=500, help="steps between two looks at held-out photographs")
    parser.add_argument("--widths", type=int, nargs="+", default=[48, 96, 128])
    parser.add_argument("--blocks", type=int, default=1)
    parser.add_argument("--middle", type=int, default=2)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--average", type=float, default=0.999)
    parser.add_argument("--half", action="store_true", help="compute convolutions in bfloat16")
    parser.add_argument("--torch", action="store_true", help="compute the steps by PyTorch, twice as fast on a CPU")
    parser.add_argument("--gray", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-sheet", dest="sheet", action="store_false")
    return parser.parse_args()


def main(args: argparse.Namespace) -> int:
    check_writable(args.out)
    checkpoint = args.checkpoint or args.out.with_suffix(".checkpoint.safetensors")
    check_writable(checkpoint)
    paths = sorted(path for path in args.photos.glob("*") if is_image_name(path))
    if len(paths) < 2:
        raise FeatvizError(f"`{args.photos}` has {len(paths)} photographs; expected a folder of some hundred")
    say(f"{jax.__version__} on {jax.devices()[0].device_kind}, {len(paths)} photographs")
    channels = 1 if args.gray else 3
    training, apart = split_photographs(paths)
    photographs, other, seen = (
        read_pyramids(part, channels, args.sizes) for part in (training, apart, training[:: len(training) // 16 or 1])
    )
    mean, deviation = measure_colors(photographs)
    config = DenoiserConfig(channels, tuple(args.widths), args.blocks, args.middle, mean=mean, deviation=deviation)
    settings = FitSettings(
        tuple(args.sizes), args.batch, args.rate, average=args.average, half=args.half, seed=args.seed
    )
    counts = ", ".join(f"{settings.count(size)} of {size} px" for size in settings.sizes)
    say(f"{photographs.values.size / 1e6:.0f} million values, {config}, a step has {counts}")
    crops = held_out_crops(other, args.sizes, channels)
    trained = held_out_crops(seen, args.sizes, channels)
    say(f"crops are drawn; losses are of sigma {SIGMAS}")
    state, loss = fit(
        photographs,
        config,
        settings,
        Length(args.steps, args.seconds and STARTED + args.seconds),
        report=describe,
        every=args.every,
        held_out=crops,
        trained=trained,
        checkpoint=checkpoint,
        resume=args.resume,
        step=pytorch_step(config, settings) if args.torch else None,
    )
    weights: Weights = state.average
    sources = args.trained_on or (SOURCES if args.photos.name == "photos_train" else f"{len(paths)} photographs")
    denoiser = Denoiser(config, weights)
    path = write_prior(args.out, denoiser, PriorRecord(sources, int(state.step), loss))
    say(f"{path}: {weight_count(weights):,} weights, {path.stat().st_size:,} bytes, loss {loss}")
    if args.sheet:
        draw_sheet(denoiser, crops, SAMPLES).save(args.out.with_suffix(".png"))
        say("the sheet is drawn")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(parse()))
    except FeatvizError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("stopped; --resume goes on from the checkpoint")
