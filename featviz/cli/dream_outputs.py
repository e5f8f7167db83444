"""What `featviz dream` writes: one dream, a film that zooms into a photo, or the dreams of a video's frames."""

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from featviz.cli.exit_status import interruptible, usage_errors
from featviz.cli.options.dream_choices import DreamChoice, FilmChoice
from featviz.errors import FeatvizError

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

    from featviz.model import Model
    from featviz.objectives import Objective
    from featviz.pictures.picture import Picture

# Frames a second of a film that is not made of a video.
DEFAULT_RATE = 12.0


def check_out(out: Path, *, is_film: bool) -> None:
    """Refuses a file that cannot be written, or is of another type, before the work starts."""
    from featviz.common.files import check_suffix, check_writable
    from featviz.dreaming.film_files import FILMS
    from featviz.dreaming.video import require_av
    from featviz.pictures.picture import SUFFIXES, check_picture_path

    if not is_film:
        if out.suffix.lower() in FILMS and out.suffix.lower() not in SUFFIXES:
            raise FeatvizError(f"-o is the film `{out.name}`; expected --zoom FRAMES as well, or a .png")
        check_picture_path(out)
        return
    if check_suffix(out, FILMS) == ".mp4":
        require_av()
    check_writable(out)


def dream_photo(
    model: "Model",
    image: "Float[np.ndarray, 'h w c']",
    objective: "Objective",
    out: Path,
    choice: DreamChoice,
    *,
    mask: Path | None,
    keep: tuple[int, ...] | None,
    preview: Path | None,
    quiet: bool,
) -> Path:
    """Writes one dream; after Ctrl-C a state beside OUT lets the same command continue."""
    from featviz.dreaming.dream import dream as run

    with usage_errors():
        mask_values = None if mask is None else read_mask(mask, image)
    state = out.with_name(f".{out.name}.state.npz")
    with interruptible(lambda: "stopped; the same command continues"):
        picture = run(
            model,
            image,
            objective,
            mask=mask_values,
            keep=keep,
            preview=preview,
            state=state,
            progress=not quiet,
            **choice.keywords(),
        )
    return picture.save(out)


def dream_zoom(
    model: "Model",
    image: "Float[np.ndarray, 'h w c']",
    objective: "Objective",
    out: Path,
    choice: DreamChoice,
    film: FilmChoice,
    *,
    mask: Path | None,
    keep: tuple[int, ...] | None,
    quiet: bool,
) -> Path:
    """Writes a film that zooms into a photo."""
    from featviz.dreaming.film import dream_film

    assert film.zoom is not None
    with usage_errors():
        mask_values = None if mask is None else read_mask(mask, image)
    frames = dream_film(
        model,
        image,
        objective,
        frames=film.zoom,
        zoom=film.zoom_by,
        rotate=film.rotate,
        mask=mask_values,
        keep=keep,
        state=frames_folder(out),
        progress=not quiet,
        **choice.keywords(),
    )
    return save_frames(frames, out, rate=film.rate or DEFAULT_RATE)


def dream_video(
    model: "Model",
    photo: Path,
    objective: "Objective",
    out: Path,
    choice: DreamChoice,
    film: FilmChoice,
    *,
    mask: Path | None,
    keep: tuple[int, ...] | None,
    quiet: bool,
) -> Path:
    """Writes the dreams of a video's frames as a video."""
    from featviz.dreaming.film import dream_frames
    from featviz.dreaming.video import read_frames

    mask_values = None
    with usage_errors():
        frames, rate = read_frames(photo, channels=model.input.channels)
        if mask is not None and (first := next(frames, None)) is not None:
            # The first frame has the size of all.
            mask_values, frames = read_mask(mask, first), itertools.chain([first], frames)
    dreams = dream_frames(
        model,
        frames,
        objective,
        keep=film.keep,
        mask=mask_values,
        keep_channels=keep,
        state=frames_folder(out),
        progress=not quiet,
        **choice.keywords(),
    )
    return save_frames(dreams, out, rate=film.rate or rate or DEFAULT_RATE)


def frames_folder(out: Path) -> Path:
    """The folder beside OUT that keeps the finished frames until the film is written."""
    return out.with_name(f".{out.name}.frames")


def save_frames(frames: "Iterator[Picture]", out: Path, *, rate: float) -> Path:
    """Writes a film; after Ctrl-C the finished frames stay beside OUT, and the same command continues."""
    from featviz.dreaming.film_files import save_film

    with interruptible(lambda: "stopped; the same command continues from the last finished frame"):
        written = save_film(frames, out, rate=rate)
    shutil.rmtree(frames_folder(out), ignore_errors=True)
    return written


def read_mask(path: Path, photo: "Float[np.ndarray, 'h w c']") -> "Float[np.ndarray, 'h w']":
    """An image's grays as float32 in [0,1], stretched to the size of the photo."""
    from PIL import Image

    from featviz.common.photograph import read_photograph, to_floats

    gray = read_photograph(path, 1, option="--mask").resize((photo.shape[1], photo.shape[0]), Image.Resampling.BILINEAR)
    return to_floats(gray)[..., 0]
