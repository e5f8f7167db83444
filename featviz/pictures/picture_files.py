"""A picture's files: its pixels as PNG, WebP or .npy, and its record as strict JSON beside or inside them."""

import io
import json
import math
import os
import stat
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from featviz.common.files import check_path, check_suffix, check_writable
from featviz.errors import FeatvizError, in_one_line

# The keyword of the record's PNG chunk, and the keys by which a record differs from other JSON.
CHUNK = "featviz"
NEEDED_KEYS = frozenset({"score", "outcome", "history"})
SUFFIXES = (".png", ".webp", ".npy")


def check_picture_path(path: str | os.PathLike[str]) -> Path:
    """The path, checked before the work starts: `Picture.save` can write there.

    Raises:
      FeatvizError: if it cannot, the extension is unknown, or the JSON beside it is no picture's record.
    """
    target = Path(path)
    check_suffix(target, SUFFIXES)
    beside = target.with_suffix(".json")
    check_writable(target)
    check_path(beside)
    if beside.exists() and not _is_record(beside):
        raise FeatvizError(f"`{beside}` is no picture's record; expected another name than `{target.name}`")
    return target


def _is_record(path: Path) -> bool:
    try:
        return _read_record(path) is not None
    except FeatvizError:
        return False


def record_json(record: Mapping[str, Any], *, indent: int | None = None) -> str:
    """The record as JSON with sorted keys: on one line without spaces, or indented.

    >>> record_json({"score": 1.5, "outcome": "dead"})
    '{"outcome":"dead","score":1.5}'
    """
    separators = (",", ":") if indent is None else None
    return json.dumps(record, sort_keys=True, indent=indent, separators=separators, allow_nan=False)


def plain_json(value: Any, name: str = "provenance") -> Any:
    """The same value for strict JSON: tuples as lists, NumPy's numbers as Python's, nan and inf as strings.

    >>> plain_json({"a": (np.float32(0.5), float("nan"), -math.inf)})
    {'a': [0.5, 'NaN', '-Infinity']}
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        return {str(key): plain_json(item, f"{name}.{key}") for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain_json(item, name) for item in value]
    # The spellings that both Python's float() and JavaScript's Number() read.
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise FeatvizError(f"`{name}` holds a {type(value).__name__}; expected plain JSON values")


def encode_image(values: UInt8[np.ndarray, "h w c"], suffix: str, record: str) -> bytes:
    """The bytes of a `.png`, with the record's JSON in its own chunk, or of a lossless `.webp`."""
    from PIL import Image, PngImagePlugin

    buffer, image = io.BytesIO(), Image.fromarray(squeeze_gray(values))
    try:
        if suffix == ".png":
            chunks = PngImagePlugin.PngInfo()
            chunks.add_itxt(CHUNK, record)
            image.save(buffer, "PNG", pnginfo=chunks)
        else:
            # Exact: keeps the color of transparent pixels.
            image.save(buffer, "WEBP", lossless=True, exact=True)
    except (OSError, ValueError) as error:
        size = f"{image.width} x {image.height}"
        raise FeatvizError(f"a picture of {size} cannot be a `{suffix}`: {in_one_line(error)}") from None
    return buffer.getvalue()


def encode_array(values: Float[np.ndarray, "h w c"]) -> bytes:
    """The bytes of a `.npy` file, in row-major order."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(values), allow_pickle=False)
    return buffer.getvalue()


def read_picture(
    path: str | os.PathLike[str],
) -> tuple[Float[np.ndarray, "h w c"], Float[np.ndarray, "h w"] | None, dict[str, Any]]:
    """A file's pixels, its alpha if there is one, and its record: the JSON beside it, else the PNG's, else {}.

    Raises:
      FeatvizError: if there is no such file, or it holds no picture.
    """
    source = Path(path)
    # A name without an extension is most often that of a file that is not there.
    if not source.suffix and not source.exists():
        raise FeatvizError(f"there is no file `{source}`; expected a picture")
    suffix = check_suffix(source, SUFFIXES)
    try:
        if not stat.S_ISREG(source.stat().st_mode):
            raise FeatvizError(f"`{source}` is not a file; expected a picture")
        values, has_alpha, text = _read_npy(source) if suffix == ".npy" else _read_image(source)
    except FileNotFoundError:
        raise FeatvizError(f"there is no file `{source}`; expected a picture") from None
    except FeatvizError:
        raise
    # Decoders raise errors of any kind on bytes that they cannot read.
    except Exception as error:
        raise FeatvizError(f"`{source}` is not a complete `{suffix}` picture: {in_one_line(error)}") from None
    beside = source.with_suffix(".json")
    record = _read_record(beside) or (_parse_record(text, source) if text else None) or {}
    channels = record.get("channels", values.shape[-1])
    # An array does not say which channel is its alpha, and WebP has no gray: the record says both.
    has_alpha = has_alpha or (suffix == ".npy" and channels == values.shape[-1] - 1)
    alpha, pixels = (values[..., -1], values[..., :-1]) if has_alpha else (None, values)
    return pixels[..., :1] if suffix == ".webp" and channels == 1 else pixels, alpha, record


def squeeze_gray(values: UInt8[np.ndarray, "h w c"]) -> UInt8[np.ndarray, "..."]:
    """The same values without the channel axis if there is one channel, as Pillow takes gray images."""
    return values[..., 0] if values.shape[-1] == 1 else values


def _read_npy(path: Path) -> tuple[np.ndarray, bool, str]:
    # Mapped, not read: a header that declares more than the file holds is refused before memory is allocated.
    mapped = np.lib.format.open_memmap(path, mode="r")
    if mapped.ndim not in (2, 3) or mapped.size == 0 or mapped.dtype.kind != "f":
        kind = f"{mapped.dtype} of shape {mapped.shape}"
        raise FeatvizError(f"`{path}` holds {kind}; expected floats, (height, width, channels)")
    values = np.array(mapped, np.float32)
    return values if values.ndim == 3 else values[..., None], False, ""


def _read_image(path: Path) -> tuple[np.ndarray, bool, str]:
    from PIL import Image

    with warnings.catch_warnings():
        # Pillow only warns about a picture of one to two times its limit.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path, formats=[path.suffix[1:].upper()]) as file:
            file.load()
            text, image = str(file.info.get(CHUNK, "")), file.copy()
    if "transparency" in image.info or image.mode == "PA":
        image = image.convert("RGBA")
    elif image.mode not in ("L", "LA", "RGB", "RGBA") and not image.mode.startswith("I"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    # Pillow opens 16-bit gray as integers up to 65535.
    top = 65535 if image.mode.startswith("I") else 255
    values = np.asarray(image).astype(np.float32) / np.float32(top)
    return values if values.ndim == 3 else values[..., None], image.mode in ("LA", "RGBA"), text


def _read_record(path: Path) -> dict[str, Any] | None:
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise FeatvizError(f"cannot read the record `{path}`: {in_one_line(error)}") from None
    return _parse_record(text, path)


def _parse_record(text: str, path: Path) -> dict[str, Any] | None:
    """The record, or None for other JSON that has the same stem by chance."""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FeatvizError(f"the record of a picture in `{path}` is not JSON: {in_one_line(error)}") from None
    return record if isinstance(record, dict) and record.keys() >= NEEDED_KEYS else None
