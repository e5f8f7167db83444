"""`fit_prior`: a denoiser of the user's own photographs, in a file that recipes take."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from featviz.common.arguments import check_count
from featviz.common.files import check_suffix, check_writable, describe_folder
from featviz.common.photograph import is_image_name
from featviz.common.progress import progress_bar
from featviz.errors import FeatvizError
from featviz.priors.crops import read_pyramids
from featviz.priors.denoiser import Denoiser
from featviz.priors.fit import FitReport, Length, fit, measure_colors
from featviz.priors.held_out import held_out_crops, mean_loss, split_photographs
from featviz.priors.prior_files import PriorRecord, write_prior
from featviz.priors.training_step import FitSettings
from featviz.priors.unet import DenoiserConfig

Photographs = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def fit_prior(
    photos: Photographs,
    *,
    out: str | os.PathLike[str],
    steps: int = 8000,
    minutes: float | None = None,
    gray: bool = False,
    sizes: Sequence[int] = (64, 128),
    widths: Sequence[int] = (48, 96, 128),
    batch: int = 32,
    seed: int = 0,
    trained_on: str | None = None,
    resume: bool = False,
    progress: bool = True,
) -> PriorRecord:
    """Trains a denoiser on photographs, for `Guided(file=...)` and `Denoised(file=...)`.

    Some hundred are enough; every 20th is held out and the loss measured on it. FILE.checkpoint.safetensors beside
    the output is written once a minute and on Ctrl-C; with `resume` the training goes on from there.

    Args:
      photos: a folder, searched recursively, or a list of files.
      out: the file to write, `.safetensors`.
      steps: of the training.
      minutes: after which it ends, whatever the steps; the learning rate then falls over as many steps as fit.
      gray: whether the denoiser is for gray images, of one channel.
      sizes: of the crops in pixels; multiples of what the architecture halves.
      widths: channels at each size of the denoiser, multiples of 8.
      batch: how many crops of the smallest size have the pixels of a step.
      seed: of the first weights, the crops and the noise.
      trained_on: sources and licenses of the photographs, in words, which the file keeps.
      resume: whether to go on from the checkpoint.
      progress: whether to show a bar on standard error, if that is a terminal.

    Returns:
      What the file says of itself: on what it was trained, for how many steps, and its loss.

    Raises:
      FeatvizError: if there are no photographs, they are too small, or the file cannot be written.
      KeyboardInterrupt: on Ctrl-C, once the checkpoint is written.
    """
    path = check_prior_path(out)
    paths = find_photographs(photos)
    check_count("steps", steps, 1, 100_000_000)
    if minutes is not None and not minutes > 0:
        raise FeatvizError(f"`minutes` is {minutes}; expected a number above 0")
    channels, settings = 1 if gray else 3, FitSettings(tuple(sizes), batch, seed=seed)
    training, apart = split_photographs(paths)
    photographs = read_pyramids(training, channels, settings.sizes)
    mean, deviation = measure_colors(photographs)
    config = DenoiserConfig(channels, tuple(widths), mean=mean, deviation=deviation)
    held_out = held_out_crops(read_pyramids(apart, channels, settings.sizes), settings.sizes, channels) if apart else ()
    length = Length(steps) if minutes is None else Length(None, time.monotonic() + 60 * minutes)
    with progress_bar(None, total=steps if minutes is None else None, unit="step", shown=progress) as bar:

        def show(step: int, total: int) -> None:
            bar.total = total if minutes is None or total < 10**6 else None
            bar.update(step - bar.n)

        def report(state: FitReport) -> None:
            loss = mean_loss(state.held_out) if state.held_out else state.loss
            bar.set_description(f"loss {loss:.4f}", refresh=False)

        state, loss = fit(
            photographs,
            config,
            settings,
            length,
            report=report,
            on_steps=show,
            held_out=held_out,
            checkpoint=checkpoint_path(path),
            resume=resume,
        )
    record = PriorRecord(trained_on or f"{len(paths)} photographs", int(state.step), loss)
    write_prior(path, Denoiser(config, state.average), record)
    return record


def check_prior_path(out: str | os.PathLike[str]) -> Path:
    """The path of a prior's file, which can be written.

    Raises:
      FeatvizError: if it cannot, or is no `.safetensors`.
    """
    path = Path(out)
    check_suffix(path, (".safetensors",))
    check_writable(path)
    return path


def checkpoint_path(out: Path) -> Path:
    """The file beside a prior's that its training goes on from.

    >>> checkpoint_path(Path("own.safetensors")).name
    'own.checkpoint.safetensors'
    """
    return out.with_suffix(".checkpoint.safetensors")


def find_photographs(photos: Photographs) -> list[Path]:
    """The images of a folder, sorted, or those listed.

    Raises:
      FeatvizError: if there are fewer than two, or what is listed is not files.
    """
    if isinstance(photos, str | os.PathLike):
        folder = Path(photos)
        if not folder.is_dir():
            found = describe_folder(folder, lacks="holds no image")
            raise FeatvizError(f"`photos`: `{folder}` {found}; expected a folder of photographs")
        paths = sorted(path for path in folder.rglob("*") if is_image_name(path) and path.is_file())
    else:
        listed = list(photos)
        other = next((each for each in listed if not isinstance(each, str | os.PathLike)), None)
        if other is not None:
            raise FeatvizError(f"`photos` has a {type(other).__name__}; expected a folder or a list of files")
        paths = [Path(photo) for photo in listed]
    if len(paths) < 2:
        raise FeatvizError(f"`photos` has {len(paths)} images; expected some hundred")
    return paths
