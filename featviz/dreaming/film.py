"""Films of dreams: into a photo by zoom and rotation, and over frames, each dream coherent with the one before."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from featviz.common.canonical import describe, digest
from featviz.common.files import write_atomic
from featviz.common.progress import progress_bar
from featviz.dreaming.dream_checks import check_carried, check_zoom
from featviz.dreaming.prepared_dream import PreparedDream, prepare_dream
from featviz.dreaming.state_files import encode_state, read_state
from featviz.errors import FeatvizError
from featviz.model import Model, Weights
from featviz.objectives import Objective
from featviz.pictures.picture import Picture
from featviz.rendering.checks import check_image


def zoom_into(image: Float[np.ndarray, "h w c"], *, zoom: float, rotate: float = 0.0) -> Float[np.ndarray, "h w c"]:
    """The central share 1 - zoom of an image, enlarged to its size and rotated by `rotate` degrees.

    Linear between pixels; without rotation that of 2015, `affine_transform(x, [1 - s, 1 - s, 1], [h s / 2, w s / 2, 0],
    order=1)` (Mordvintsev, Olah and Tyka 2015). With rotation or a zoom below 0 the image is mirrored beyond its edges.

    >>> zoom_into(np.tile(np.arange(4.0)[:, None], (4, 1, 1)), zoom=0.5)[1, :, 0].tolist()
    [1.0, 1.5, 2.0, 2.5]
    """
    height, width = image.shape[:2]
    center = np.array([height / 2, width / 2])
    angle = np.deg2rad(rotate)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.eye(3)
    matrix[:2, :2] = (1 - zoom) * rotation
    offset = np.append(center - matrix[:2, :2] @ center, 0.0)
    mode = "reflect" if rotate or zoom < 0 else "constant"
    return np.asarray(ndimage.affine_transform(image, matrix, offset, order=1, mode=mode), np.float32)


def dream_film(
    model: Model,
    photo: Float[np.ndarray, "h w c"] | Picture,
    objective: Objective,
    *,
    frames: int = 100,
    zoom: float = 0.05,
    rotate: float = 0.0,
    octaves: int | None = None,
    octave_scale: float = 1.4,
    steps: int = 10,
    step_size: float = 1.5 / 255,
    jitter: int = 32,
    laplacian: int = 0,
    mask: Float[np.ndarray, "h w"] | None = None,
    keep: Iterable[int] | None = None,
    tile: int | None = None,
    weights: Weights | None = None,
    seed: int = 0,
    state: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Iterator[Picture]:
    """Frames of a zoom into a dream: each frame is a dream of the one before, zoomed and rotated.

    Args:
      frames: how many, 1 to 1,000,000.
      zoom: the share of the frame that is lost at each step, -1 to 1; 0.05 in 2015.
      rotate: degrees from one frame to the next.
      keep: channels that the dream leaves as they are; they are zoomed and rotated with the others.
      seed: frame i draws its shifts with the seed `seed + i`.
      state: a folder that keeps the finished frames, from which an interrupted film resumes; remove it at the end.

    The other args and the refusals are those of `dream`.

    Returns:
      An iterator of Pictures, one for each frame.

    >>> import featviz as fv
    >>> photo = np.random.default_rng(0).random((32, 32, 3)).astype(np.float32)
    >>> film = fv.dream_film(fv.load("patterns"), photo, fv.deepdream("conv2"), frames=2, steps=1, progress=False)
    >>> [frame.pixels.shape for frame in film]
    [(32, 32, 3), (32, 32, 3)]
    """
    check_zoom(frames=frames, zoom=zoom, rotate=rotate)
    image = check_image("photo", photo, model)
    prepared = prepare_dream(
        model,
        (image.shape[0], image.shape[1]),
        objective,
        octaves=octaves,
        octave_scale=octave_scale,
        steps=steps,
        step_size=step_size,
        jitter=jitter,
        laplacian=laplacian,
        mask=mask,
        keep=keep,
        tile=tile,
        weights=weights,
    )
    film_digest = digest([describe(prepared.provenance), seed, zoom, rotate, digest(image)])

    def dreamed() -> Iterator[Picture]:
        current = image
        for index in progress_bar(range(frames), unit="frame", shown=progress):
            path = _frame_path(state, index)
            picture = _dream_frame(prepared, current, seed + index, path=path, frame_digest=film_digest)
            yield picture
            current = zoom_into(picture.pixels, zoom=zoom, rotate=rotate)

    return dreamed()


def dream_frames(
    model: Model,
    frames: Iterable[Float[np.ndarray, "h w c"]],
    objective: Objective,
    *,
    keep: float = 0.3,
    octaves: int | None = None,
    octave_scale: float = 1.4,
    steps: int = 10,
    step_size: float = 1.5 / 255,
    jitter: int = 32,
    laplacian: int = 0,
    mask: Float[np.ndarray, "h w"] | None = None,
    keep_channels: Iterable[int] | None = None,
    tile: int | None = None,
    weights: Weights | None = None,
    seed: int = 0,
    state: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Iterator[Picture]:
    """Dreams of the frames of a video, each starting with a share of what was dreamed into the frame before.

    Frame t is dreamed from clip(f_t + keep * m_t * (d_{t-1} - f_{t-1}), 0, 1), d the dreams, with the stillness
    m_t = exp(-(blur |f_t - f_{t-1}| / .1)^2). All frames draw the same shifts. So a part of the video that does not
    move does not flicker in its dream.

    Args:
      frames: (height, width, channels) in [0,1], all of one size, read one at a time.
      keep: the share that is carried over where nothing moves, from 0 to below 1.
      keep_channels: channels that stay as they are in each frame, such as {3, 4} of frames of several bands.
      state: a folder that keeps the finished frames, from which an interrupted film resumes; remove it at the end.

    The other args and the refusals are those of `dream`.

    Returns:
      An iterator of Pictures, one for each frame.

    Raises:
      FeatvizError: for frames of several sizes, or a `keep` outside [0,1).
    """
    check_carried(keep)
    prepared: PreparedDream | None = None
    previous: tuple[np.ndarray, np.ndarray] | None = None
    frame_digest = ""
    for index, frame in enumerate(progress_bar(frames, unit="frame", shown=progress)):
        image = check_image("frames", frame, model)
        size = (image.shape[0], image.shape[1])
        prepared = prepared or prepare_dream(
            model,
            size,
            objective,
            octaves=octaves,
            octave_scale=octave_scale,
            steps=steps,
            step_size=step_size,
            jitter=jitter,
            laplacian=laplacian,
            mask=mask,
            keep=keep_channels,
            tile=tile,
            weights=weights,
        )
        if size != prepared.size:
            raise FeatvizError(f"`frames` has one of {size} after {prepared.size}; expected one size")
        start = image
        if previous is not None:
            previous_image, previous_dream = previous
            stillness = _stillness(image, previous_image)
            start = np.clip(image + keep * stillness * (previous_dream - previous_image), 0, 1)
        # Each frame depends on all before it.
        frame_digest = digest([frame_digest, describe(prepared.provenance), seed, keep, digest(image)])
        path = _frame_path(state, index)
        picture = _dream_frame(prepared, start, seed, path=path, frame_digest=frame_digest)
        previous = (image, picture.pixels)
        yield picture


def _stillness(image: Float[np.ndarray, "h w c"], previous: Float[np.ndarray, "h w c"]) -> Float[np.ndarray, "h w 1"]:
    """1 where two frames are the same, near 0 where they differ."""
    change = ndimage.gaussian_filter(np.abs(image - previous).mean(-1), 4.0)
    return np.asarray(np.exp(-np.square(change / 0.1)), np.float32)[..., None]


def _frame_path(folder: str | os.PathLike[str] | None, index: int) -> Path | None:
    return None if folder is None else Path(folder) / f"{index:06d}.npz"


def _dream_frame(
    prepared: PreparedDream, image: Float[np.ndarray, "h w c"], seed: int, *, path: Path | None, frame_digest: str
) -> Picture:
    """The dream of a frame, or the one that was saved by an earlier run."""
    seed %= 2**32
    state = None if path is None else read_state(path, frame_digest)
    if state is None:
        (state,) = deque(prepared.states(image, seed), maxlen=1)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, encode_state(state, frame_digest))
    return prepared.picture(state, seed)
