"""Films written: GIF and WebP through Pillow, MP4 through PyAV."""

import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from featviz.common.files import check_path, check_suffix
from featviz.dreaming.dream_checks import check_rate
from featviz.dreaming.video import require_av
from featviz.errors import FeatvizError, in_one_line
from featviz.pictures.picture import Picture

FILMS = (".gif", ".webp", ".mp4")
# How far outside [0,1] floats may be; they are clipped.
SLACK = 0.05
# Pixels a side of the smallest film that the codec encodes.
SMALLEST_MP4 = 2

Frame = Picture | Float[np.ndarray, "h w c"] | UInt8[np.ndarray, "h w c"]


def save_film(frames: Iterable[Frame], path: str | os.PathLike[str], *, rate: float = 12.0) -> Path:
    """Writes frames as a film.

    The file appears when it is complete. Frames are taken one at a time.

    Args:
      frames: Pictures, or arrays (height, width, channels) of floats in [0,1] or of uint8, all of one size, of 1 or 3
        channels; GIF and WebP take a fourth, the alpha.
      path: a .gif, .webp or .mp4. MP4 needs `pip install featviz[video]`, which brings its own codecs.
      rate: frames a second, above 0 to 240.

    Returns:
      The path.

    >>> import tempfile
    >>> frames = [np.full((8, 8, 3), value, np.float32) for value in (0.0, 1.0)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_film(frames, f"{folder}/film.gif").name
    'film.gif'

    Raises:
      FeatvizError: for another type of file, a rate out of range, no frames, frames of several sizes or of other
        values, or a film that the format cannot hold.
    """
    target = Path(path)
    suffix = check_suffix(target, FILMS)
    check_path(target)
    check_rate(rate)
    if suffix == ".mp4":
        require_av()
    part = target.with_name(f".{target.name}.part{suffix}")
    failures: list[BaseException] = []
    encoded = _checked(frames, suffix, failures)
    try:
        first = next(encoded, None)
        if first is None:
            raise FeatvizError("`frames` is empty; expected one at least")
        (_write_mp4 if suffix == ".mp4" else _write_animation)(first, encoded, part, rate)
        os.replace(part, target)
    # Pillow and PyAV each raise their own exceptions; what the frames themselves raise goes through.
    except Exception as error:
        if error in failures or isinstance(error, FeatvizError):
            raise
        raise FeatvizError(f"the film `{target.name}` cannot be written: {in_one_line(error)}") from error
    finally:
        part.unlink(missing_ok=True)
    return target


def _checked(
    frames: Iterable[Frame], suffix: str, failures: list[BaseException]
) -> Iterator[UInt8[np.ndarray, "h w c"]]:
    """The frames as bytes, all of one size; what goes wrong here is kept in `failures`."""
    size = None
    try:
        for index, frame in enumerate(frames):
            values = _to_bytes(frame, index, suffix)
            size = size or values.shape
            if values.shape != size:
                raise FeatvizError(f"`frames[{index}]` has shape {values.shape}; expected {size}, as those before it")
            yield values
    except Exception as error:
        failures.append(error)
        raise


def _to_bytes(frame: Frame, index: int, suffix: str) -> UInt8[np.ndarray, "h w c"]:
    if isinstance(frame, Picture):
        values = replace(frame, alpha=None).to_uint8()
    else:
        values = _bytes_of_array(np.asarray(frame), index)
    allowed = (1, 3) if suffix == ".mp4" else (1, 3, 4)
    if values.ndim != 3 or not values.size or values.shape[-1] not in allowed:
        raise FeatvizError(
            f"`frames[{index}]` has shape {values.shape}; expected (height, width, channels), "
            f"{' or '.join(map(str, allowed))} channels for {suffix}"
        )
    return np.repeat(values, 3, axis=-1) if values.shape[-1] == 1 else values


def _bytes_of_array(array: np.ndarray, index: int) -> UInt8[np.ndarray, "..."]:
    """An array of uint8 as it is, one of floats in [0,1] times 255."""
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind != "f":
        raise FeatvizError(f"`frames[{index}]` is {array.dtype}; expected floats in [0,1], or uint8")
    # Resampling leaves values slightly outside [0,1]; values of 0 to 255 are a mistake, and would be all white.
    if array.size and not (array.min() >= -SLACK and array.max() <= 1 + SLACK):
        found = f"{array.dtype} from {array.min()} to {array.max()}"
        raise FeatvizError(f"`frames[{index}]` is {found}; expected floats in [0,1], or uint8")
    return np.rint(np.clip(array, 0, 1) * 255).astype(np.uint8)


def _write_animation(
    first: UInt8[np.ndarray, "h w c"], rest: Iterable[UInt8[np.ndarray, "h w c"]], path: Path, rate: float
) -> None:
    from PIL import Image

    following = (Image.fromarray(frame) for frame in rest)
    options: dict[str, Any] = {"quality": 90, "method": 4} if path.suffix == ".webp" else {}
    options |= {"format": path.suffix[1:], "save_all": True, "duration": 1000 / rate, "loop": 0}
    # Opened here: if a frame fails, Pillow leaves its own file open.
    with open(path, "wb") as file:
        Image.fromarray(first).save(file, append_images=following, **options)


def _write_mp4(
    first: UInt8[np.ndarray, "h w c"], rest: Iterable[UInt8[np.ndarray, "h w c"]], path: Path, rate: float
) -> None:
    av = require_av()
    # The codec needs even sides: an odd last row or column is dropped.
    height, width = (side // 2 * 2 for side in first.shape[:2])
    if min(height, width) < SMALLEST_MP4:
        raise FeatvizError(
            f"`frames` are {first.shape[0]}x{first.shape[1]} pixels; expected {SMALLEST_MP4} a side for .mp4, or a .gif"
        )
    with av.open(str(path), mode="w") as container:
        stream = container.add_stream("libx264", rate=Fraction(rate).limit_denominator(1000))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": "18"}
        for values in itertools.chain([first], rest):
            _encode(av, container, stream, values[:height, :width])
        for packet in stream.encode():
            container.mux(packet)


def _encode(av: Any, container: Any, stream: Any, values: UInt8[np.ndarray, "h w c"]) -> None:
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(values), format="rgb24")
    for packet in stream.encode(frame):
        container.mux(packet)
