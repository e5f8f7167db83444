"""Files of a running dream: a preview to look at, and a state from which the dream resumes."""

import io
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from featviz.common.files import write_atomic
from featviz.dreaming.dream_steps import DreamState
from featviz.errors import ArgumentError
from featviz.pictures.picture_files import encode_image

# Seconds between two writes of the preview and the state.
SAVE_INTERVAL = 5.0


def encode_state(state: DreamState, digest: str) -> bytes:
    """The state as an .npz without pickle, with the digest of everything that decides its dream."""
    buffer = io.BytesIO()
    np.savez(
        buffer,
        image=state.image,
        history=np.asarray(state.history, np.float64),
        position=np.asarray([state.octave, state.step]),
        digest=np.asarray(digest),
    )
    return buffer.getvalue()


def read_state(path: Path, digest: str) -> DreamState | None:
    """The state in a file, or None if there is no such file.

    Raises: FeatvizError if it belongs to another dream, or cannot be read.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in ("image", "history", "position", "digest")}
    except FileNotFoundError:
        return None
    except Exception as error:
        raise ArgumentError(f"the state `{path.name}` cannot be read: {error}; remove it to start over") from error
    if str(arrays["digest"]) != digest:
        raise ArgumentError(f"the state `{path.name}` belongs to another dream; remove it to start over")
    octave, step = map(int, arrays["position"])
    return DreamState(octave, step, arrays["image"], tuple(map(float, arrays["history"])))


def state_writer(
    preview: str | os.PathLike[str] | None, state_path: Path | None, digest: str
) -> Callable[[DreamState, bool], None]:
    """A function `write(state, force)` that writes the files every few seconds, or at once if `force`."""
    written = [time.monotonic()]

    def write(state: DreamState, force: bool) -> None:
        if not force and time.monotonic() - written[0] < SAVE_INTERVAL:
            return
        written[0] = time.monotonic()
        if preview is not None:
            values = np.round(np.clip(state.image, 0, 1) * 255).astype(np.uint8)
            write_atomic(preview, encode_image(values, ".png", "{}"))
        if state_path is not None:
            write_atomic(state_path, encode_state(state, digest))

    return write
