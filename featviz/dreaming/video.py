"""Frames read: of a folder of images, of a video through PyAV, of an animation through Pillow."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int32

from featviz.common.photograph import is_image_name, read_photograph, readable_suffixes, to_channels, to_floats
from featviz.errors import FeatvizError, in_one_line

VIDEOS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v")
# Frames a second, where a file does not say.
DEFAULT_VIDEO_RATE, DEFAULT_ANIMATION_RATE = 24.0, 10.0

Frames = Iterator[Float[np.ndarray, "h w c"]]


def read_frames(path: str | os.PathLike[str], *, channels: int = 3) -> tuple[Frames, float | None]:
    """The frames of a folder of images, of a video or of an animation; and their rate, None for a folder.

    Images of a folder are in the order of the numbers in their names: 1, 2, 10. Videos are upright, as players
    show them. Frames are (height, width, channels) float32 in [0,1], of 3 channels or of 1, gray; they are read one at
    a time.

    Args:
      path: a folder; a video, for which PyAV is needed; or a GIF, WebP, APNG or AVIF.
      channels: 1 or 3.

    Raises:
      FeatvizError: for anything else, an image of a folder that cannot be read, or no frame at all.
    """
    source = Path(path)
    if channels not in (1, 3):
        raise FeatvizError(f"the network wants {channels} channels; expected 1 or 3 for frames")
    if source.is_dir():
        return _read_folder(source, channels), None
    if not source.is_file():
        raise FeatvizError(f"there is no folder or video `{source.name}`")
    if is_image_name(source):
        return _read_animation(source, channels)
    return _read_video(source, channels)


def require_av() -> Any:
    """PyAV, or an error that says how to get it."""
    try:
        import av
    except ImportError:
        raise FeatvizError("videos need PyAV; expected `pip install featviz[video]`, or a .gif or .webp") from None
    return av


def frame_order(name: str) -> tuple[list[str | int], str]:
    """The key by which names of frames are sorted: numbers in them by value, letters without their case.

    >>> sorted(["10.png", "9.png", "b1.png", "A2.png"], key=frame_order)
    ['9.png', '10.png', 'A2.png', 'b1.png']
    """
    # Every other part is a number, so that equal positions hold equal types.
    parts = re.split(r"([0-9]+)", Path(name).stem.casefold())
    return [int(part) if index % 2 else part for index, part in enumerate(parts)], name


def _read_folder(folder: Path, channels: int) -> Frames:
    # Names that begin with a dot are notes of the system about a file, not images.
    files = [file for file in folder.iterdir() if is_image_name(file) and file.name[0] != "." and file.is_file()]
    files.sort(key=lambda file: frame_order(file.name))
    if not files:
        raise FeatvizError(f"the folder `{folder.name}` holds no images; expected frames such as 1.png, 2.png")
    unknown = [file.name for file in files if file.suffix.lower() not in readable_suffixes()]
    if unknown:
        raise FeatvizError(
            f"`{unknown[0]}` in the folder `{folder.name}` is an image of a type that cannot be read "
            f"({len(unknown)} of {len(files)} are); expected PNG, JPEG, WebP, TIFF or BMP"
        )
    return (to_floats(read_photograph(file, channels)) for file in files)


def _read_animation(source: Path, channels: int) -> tuple[Frames, float]:
    from PIL import Image, ImageSequence

    try:
        with Image.open(source) as file:
            # Of WebP and AVIF the duration of a frame is known when it is decoded.
            file.load()
            milliseconds = float(file.info.get("duration") or 0)
    except Exception as error:
        raise FeatvizError(f"the animation `{source.name}` cannot be read: {in_one_line(error)}") from None

    def decoded() -> Frames:
        try:
            with Image.open(source) as file:
                for frame in ImageSequence.Iterator(file):
                    yield to_floats(to_channels(frame, channels))
        # Decoders raise errors of any kind on bytes that they cannot read.
        except Exception as error:
            raise FeatvizError(f"the animation `{source.name}` is damaged: {in_one_line(error)}") from None

    return decoded(), 1000 / milliseconds if milliseconds > 0 else DEFAULT_ANIMATION_RATE


def _read_video(source: Path, channels: int) -> tuple[Frames, float]:
    av = require_av()
    try:
        container = av.open(str(source))
    except Exception as error:
        raise FeatvizError(f"the video `{source.name}` cannot be read: {in_one_line(error)}") from None
    if not container.streams.video:
        container.close()
        raise FeatvizError(f"`{source.name}` holds no video, only sound or text; expected a video")
    stream = container.streams.video[0]

    def decoded() -> Frames:
        count = 0
        with container:
            try:
                for frame in container.decode(stream):
                    values = frame.to_ndarray(format="gray" if channels == 1 else "rgb24")
                    values = values.reshape(*values.shape[:2], channels).astype(np.float32) / np.float32(255)
                    yield turn(values, _display_matrix(frame))
                    count += 1
            except FeatvizError:
                raise
            # FFmpeg's own errors, and PyAV's for formats that it cannot convert.
            except Exception as error:
                raise FeatvizError(f"the video `{source.name}` is damaged: {in_one_line(error)}") from None
        if not count:
            raise FeatvizError(f"the video `{source.name}` has no frame that can be read")

    return decoded(), float(stream.average_rate or DEFAULT_VIDEO_RATE)


def _display_matrix(frame: Any) -> Int32[np.ndarray, "2 2"] | None:
    """How a frame is to be turned for display: the first four entries of its matrix, in 65536ths."""
    data = frame.side_data.get("DISPLAYMATRIX")
    return None if data is None else np.frombuffer(bytes(data), np.int32).reshape(3, 3)[:2, :2]


def turn(
    image: Float[np.ndarray, "h w c"], matrix: "Int32[np.ndarray, '2 2'] | None"
) -> Float[np.ndarray, "new_h new_w c"]:
    """An image as a display matrix turns and mirrors it: a point (x, y) is shown at (x a + y c, x b + y d).

    Args:
      image: the stored frame.
      matrix: ((a, b), (c, d)); None, or one that is not near a quarter turn, leaves the image as it is.

    >>> turn(np.array([[[1.0], [0.0]]]), np.array([[0, 1], [-1, 0]], np.int32))[..., 0].tolist()
    [[1.0], [0.0]]
    """
    if matrix is None or not matrix.any():
        return image
    (a, b), (c, d) = np.rint(matrix / np.abs(matrix).max()).astype(int).tolist()
    if a * c + b * d or abs(a * d - b * c) != 1:
        return image
    # The axis that is stored as x is shown as y.
    if b:
        image = image.swapaxes(0, 1)
    mirrored = tuple(axis for axis, sign in ((0, d or b), (1, a or c)) if sign < 0)
    return np.ascontiguousarray(np.flip(image, mirrored))
