"""Films on disk: GIF and WebP through Pillow, MP4 through PyAV; and the frames of a folder or a video."""

import itertools
import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from featviz.common.files import check_path, check_suffix
from featviz.common.photograph import read_photograph, to_floats
from featviz.errors import FeatvizError, in_one_line
from featviz.pictures.picture import Picture

FILMS = (".gif", ".webp", ".mp4")
VIDEOS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v")


def save_film(
    frames: Iterable[Picture | Float[np.ndarray, "h w c"]], path: str | os.PathLike[str], *, rate: float = 12.0
) -> Path:
    """Writes frames as a film.

    The file appears when it is complete. Frames are taken one at a time.

    Args:
      frames: Pictures, or (height, width, channels) in [0,1].
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
      FeatvizError: for another type of file, a rate out of range, or no frames.
    """
    target = Path(path)
    suffix = check_suffix(target, FILMS)
    check_path(target)
    if not 0 < rate <= 240:
        raise FeatvizError(f"`rate` is {rate}; expected frames a second, such as 12")
    if suffix == ".mp4":
        require_av()
    part = target.with_name(f".{target.name}.part{suffix}")
    encoded = (_to_bytes(frame) for frame in frames)
    try:
        first = next(encoded, None)
        if first is None:
            raise FeatvizError("`frames` is empty; expected one at least")
        (_write_mp4 if suffix == ".mp4" else _write_animation)(first, encoded, part, rate)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return target


def read_frames(
    path: str | os.PathLike[str], *, channels: int = 3
) -> tuple[Iterator[Float[np.ndarray, "h w c"]], float | None]:
    """The frames of a folder of images, in the order of their names, or of a video; and the rate of the video.

    Frames are (height, width, channels) float32 in [0,1], of 3 channels or of 1, gray; they are read one at a time.

    Raises: FeatvizError for anything else, or without a frame that can be read.
    """
    source = Path(path)
    if channels not in (1, 3):
        raise FeatvizError(f"the network wants {channels} channels; expected 1 or 3 for frames")
    if source.is_dir():
        names = sorted(name for name in source.iterdir() if name.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp"))
        if not names:
            raise FeatvizError(f"the folder `{source.name}` holds no PNG, JPEG or WebP images")

        def images() -> Iterator[Float[np.ndarray, "h w c"]]:
            for name in names:
                yield to_floats(read_photograph(name, channels))

        return images(), None
    if not source.is_file():
        raise FeatvizError(f"there is no folder or video `{source.name}`")
    av = require_av()
    try:
        container = av.open(str(source))
        stream = container.streams.video[0]
    except Exception as error:
        raise FeatvizError(f"the video `{source.name}` cannot be read: {in_one_line(error)}") from None

    def decoded() -> Iterator[Float[np.ndarray, "h w c"]]:
        with container:
            try:
                for frame in container.decode(stream):
                    values = frame.to_ndarray(format="gray" if channels == 1 else "rgb24")
                    yield values.reshape(*values.shape[:2], channels).astype(np.float32) / np.float32(255)
            except av.error.FFmpegError as error:
                raise FeatvizError(f"the video `{source.name}` is damaged: {in_one_line(error)}") from None

    return decoded(), float(stream.average_rate or 24)


def require_av() -> Any:
    """PyAV, or an error that says how to get it."""
    try:
        import av
    except ImportError:
        raise FeatvizError("videos need PyAV; expected `pip install featviz[video]`, or a .gif or .webp") from None
    return av


def _to_bytes(frame: Picture | Float[np.ndarray, "h w c"]) -> UInt8[np.ndarray, "h w c"]:
    pixels = frame.pixels if isinstance(frame, Picture) else np.asarray(frame)
    values = np.round(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    return np.repeat(values, 3, axis=-1) if values.shape[-1] == 1 else values


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
