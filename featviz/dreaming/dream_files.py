"""A dream under way on disk: a preview to look at, and a state from which it goes on."""

import io
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from featviz.common.files import write_whole
from featviz.dreaming.dream_steps import DreamState
from featviz.errors import FeatvizError
from featviz.pictures.picture_files import encode_image

# Seconds between two previews or states at the least.
EVERY = 5.0


def encode_moment(moment: DreamState, digest: str) -> bytes:
    """The moment as an .npz without pickle, under the digest of all that decides its dream."""
    buffer = io.BytesIO()
    np.savez(
        buffer,
        image=moment.image,
        history=np.asarray(moment.history, np.float64),
        at=np.asarray([moment.octave, moment.step]),
        digest=np.asarray(digest),
    )
    return buffer.getvalue()


def read_moment(path: Path, digest: str) -> DreamState | None:
    """The moment that a file holds, or None if there is no such file.

    Raises: FeatvizError if it is of another dream, or cannot be read.
    """
    try:
        with np.load(path, allow_pickle=False) as held:
            found = {name: held[name] for name in ("image", "history", "at", "digest")}
    except FileNotFoundError:
        return None
    except Exception as error:
        raise FeatvizError(f"the state `{path.name}` cannot be read: {error}; remove it to start over") from error
    if str(found["digest"]) != digest:
        raise FeatvizError(f"the state `{path.name}` is of another dream; remove it to start over")
    octave, step = (int(number) for number in found["at"])
    return DreamState(octave, step, found["image"], tuple(float(score) for score in found["history"]))


def watcher(
    preview: str | os.PathLike[str] | None, state: Path | None, digest: str
) -> Callable[[DreamState, bool], None]:
    """A function that is shown every moment and writes the files now and then; `True` for one that must be kept."""
    last = [time.monotonic()]

    def watch(moment: DreamState, due: bool) -> None:
        if not due and time.monotonic() - last[0] < EVERY:
            return
        last[0] = time.monotonic()
        if preview is not None:
            values = np.round(np.clip(moment.image, 0, 1) * 255).astype(np.uint8)
            write_whole(preview, encode_image(values, ".png", "{}"))
        if state is not None:
            write_whole(state, encode_moment(moment, digest))

    return watch
