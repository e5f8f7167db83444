"""Films of dreams: into a photo by zoom and rotation, and over frames, each dream coherent with the one before."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Unpack

import numpy as np
from scipy import ndimage
from tqdm import tqdm

from featviz.common.canonical import describe, digest
from featviz.common.files import write_whole
from featviz.dreaming.dream import PreparedDream, prepare
from featviz.dreaming.dream_files import encode_moment, read_moment
from featviz.dreaming.dream_options import DreamOptions, with_dream_options
from featviz.errors import FeatvizError
from featviz.model import Model
from featviz.objectives import Objective
from featviz.pictures.picture import Picture
from featviz.rendering.checks import check_count, check_image


def zoom_into(image: np.ndarray, *, zoom: float, rotate: float = 0.0) -> np.ndarray:
    """An image, (height, width, channels), of which 1 - zoom is seen, turned by `rotate` degrees about its middle.

    Linear between pixels; without rotation that of 2015, `affine_transform(x, [1 - s, 1 - s, 1], [h s / 2, w s / 2, 0],
    order=1)` (Mordvintsev, Olah and Tyka 2015). What rotation, or a zoom below 0, brings in from outside is mirrored.

    >>> zoom_into(np.tile(np.arange(4.0)[:, None], (4, 1, 1)), zoom=0.5)[1, :, 0].tolist()
    [1.0, 1.5, 2.0, 2.5]
    """
    height, width = image.shape[:2]
    middle = np.array([height / 2, width / 2])
    angle = np.deg2rad(rotate)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.eye(3)
    matrix[:2, :2] = (1 - zoom) * turn
    offset = np.append(middle - matrix[:2, :2] @ middle, 0.0)
    mode = "reflect" if rotate or zoom < 0 else "constant"
    return np.asarray(ndimage.affine_transform(image, matrix, offset, order=1, mode=mode), np.float32)


@with_dream_options
def dream_film(
    model: Model,
    photo: np.ndarray | Picture,
    objective: Objective,
    *,
    frames: int = 100,
    zoom: float = 0.05,
    rotate: float = 0.0,
    seed: int = 0,
    state: str | os.PathLike[str] | None = None,
    progress: bool = True,
    **options: Unpack[DreamOptions],
) -> Iterator[Picture]:
    """Frames of a dream that goes deeper and deeper: each is a dream of the one before, zoomed and turned.

    `zoom` is the share of the frame that is lost at each step, .05 in 2015; `rotate` is in degrees a frame. Frame i
    draws with the seed `seed + i`. `state` is a folder that keeps the finished frames: a film that was stopped goes on
    from there; remove it in the end. The other options are those of `dream`.

    >>> import featviz as fv
    >>> photo = np.random.default_rng(0).random((32, 32, 3)).astype(np.float32)
    >>> film = fv.dream_film(fv.load("patterns"), photo, fv.deepdream("conv2"), frames=2, steps=1, progress=False)
    >>> [frame.pixels.shape for frame in film]
    [(32, 32, 3), (32, 32, 3)]
    """
    check_count("frames", frames, 1, 1_000_000)
    if not -1 < zoom < 1:
        raise FeatvizError(f"`zoom` is {zoom}; expected a share of the frame between -1 and 1, such as 0.05")
    image = check_image("photo", photo, model)
    dreamer = prepare(model, (image.shape[0], image.shape[1]), objective, **options)

    def each() -> Iterator[Picture]:
        current = image
        name = digest([describe(dreamer.record), seed, zoom, rotate, digest(image)])
        for number in tqdm(range(frames), unit="frame", disable=None if progress else True):
            picture = _dreamed(dreamer, current, seed + number, place=_place(state, number), name=name)
            yield picture
            current = zoom_into(picture.pixels, zoom=zoom, rotate=rotate)

    return each()


@with_dream_options
def dream_frames(
    model: Model,
    frames: Iterable[np.ndarray],
    objective: Objective,
    *,
    keep: float = 0.3,
    seed: int = 0,
    state: str | os.PathLike[str] | None = None,
    progress: bool = True,
    **options: Unpack[DreamOptions],
) -> Iterator[Picture]:
    """Dreams of frames that follow one another, each begun with a share of what was dreamed into the one before.

    Frame t is dreamed from clip(f_t + keep * m_t * (d_{t-1} - f_{t-1}), 0, 1), d the dreams. m_t, from 0 to 1, is small
    where the film has changed: exp(-(blur |f_t - f_{t-1}| / .1)^2). All frames draw the same shifts. So what stands
    still in the film stands still in its dream. `state` is as in `dream_film`. The other options are those of `dream`.

    Raises: FeatvizError for frames of several sizes, or a `keep` outside [0,1).
    """
    if not 0 <= keep < 1:
        raise FeatvizError(f"`keep` is {keep}; expected a number from 0 to below 1, such as 0.3")
    dreamer: PreparedDream | None = None
    before: tuple[np.ndarray, np.ndarray] | None = None
    name = ""
    for number, frame in enumerate(tqdm(frames, unit="frame", disable=None if progress else True)):
        image = check_image("frames", frame, model)
        size = (image.shape[0], image.shape[1])
        dreamer = dreamer or prepare(model, size, objective, **options)
        if size != dreamer.size:
            raise FeatvizError(f"`frames` has one of {size} after {dreamer.size}; expected one size")
        begun = image
        if before is not None:
            was, dreamed = before
            begun = np.clip(image + keep * _still(image, was) * (dreamed - was), 0, 1)
        name = digest([name, describe(dreamer.record), seed, keep, digest(image)])
        picture = _dreamed(dreamer, begun, seed, place=_place(state, number), name=name)
        before = (image, picture.pixels)
        yield picture


def _still(image: np.ndarray, was: np.ndarray) -> np.ndarray:
    moved = ndimage.gaussian_filter(np.abs(image - was).mean(-1), 4.0)
    return np.asarray(np.exp(-np.square(moved / 0.1)), np.float32)[..., None]


def _place(folder: str | os.PathLike[str] | None, number: int) -> Path | None:
    return None if folder is None else Path(folder) / f"{number:06d}.npz"


def _dreamed(dreamer: PreparedDream, image: np.ndarray, seed: int, *, place: Path | None, name: str) -> Picture:
    """The dream of a frame, or what a file keeps of it."""
    seed %= 2**32
    moment = None if place is None else read_moment(place, name)
    if moment is None:
        (moment,) = deque(dreamer.moments(image, seed), maxlen=1)
        if place is not None:
            place.parent.mkdir(parents=True, exist_ok=True)
            write_whole(place, encode_moment(moment, name))
    return dreamer.picture(moment, seed)
