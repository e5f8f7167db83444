"""A picture with its provenance: what was drawn, how well it did, how it ended, and how to make it again."""

import contextlib
import enum
import io
import json
import math
import os
import secrets
import stat
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from featviz.errors import FeatvizError, nearest

if TYPE_CHECKING:
    from PIL.Image import Image

# The PNG chunk of the record, and what the record holds beside the provenance.
CHUNK = "featviz"
RECORD_KEYS = ("channels", "history", "outcome", "score")
SUFFIXES = (".png", ".webp", ".npy")


class Outcome(enum.Enum):
    """How an optimization ended."""

    CONVERGED = "converged"
    OUT_OF_STEPS = "out of steps"
    DEAD = "dead"
    NOT_FINITE = "not finite"


@dataclass(frozen=True, eq=False, repr=False)
class Picture:
    """What one lane drew: float32 pixels in [0,1], (height, width, channels), and where they come from.

    `score` is the objective on the clean image, `history` the score of each step on transformed views,
    (steps,), `alpha` in [0,1], (height, width). `provenance` holds plain JSON values, among them `name`.

    >>> pixels = np.full((2, 3, 1), 0.5, np.float32)
    >>> Picture(pixels, 1.25, Outcome.CONVERGED, np.zeros(4), {"name": "conv1:7"})
    <Picture conv1:7, 2 x 3 x 1, score 1.25, converged>
    """

    pixels: np.ndarray
    score: float
    outcome: Outcome
    history: np.ndarray
    provenance: Mapping[str, Any]
    alpha: np.ndarray | None = None

    def __post_init__(self) -> None:
        pixels, history = np.asarray(self.pixels), np.asarray(self.history, np.float32)
        # Integers are most likely 0 to 255, and would save as white.
        if pixels.dtype.kind in "biucOSU":
            raise FeatvizError(f"`pixels` are {pixels.dtype}; expected floats in [0,1]")
        if pixels.ndim != 3 or pixels.size == 0:
            raise FeatvizError(f"`pixels` have shape {pixels.shape}; expected (height, width, channels)")
        if history.ndim != 1:
            raise FeatvizError(f"`history` has shape {history.shape}; expected (steps,)")
        object.__setattr__(self, "pixels", pixels.astype(np.float32, copy=False))
        object.__setattr__(self, "history", history)
        object.__setattr__(self, "score", float(self.score))
        if self.alpha is not None:
            alpha = np.asarray(self.alpha, np.float32)
            if alpha.shape != pixels.shape[:2]:
                raise FeatvizError(f"`alpha` has shape {alpha.shape}; expected {pixels.shape[:2]}")
            object.__setattr__(self, "alpha", alpha)

    def __repr__(self) -> str:
        size = " x ".join(str(side) for side in self.pixels.shape)
        return f"<Picture {self.name}, {size}, score {self.score:.4g}, {self.outcome.value}>"

    @property
    def name(self) -> str:
        """The provenance's `name`, as `inception_4c:103`, else `picture`."""
        return str(self.provenance.get("name", "picture"))

    def to_uint8(self) -> np.ndarray:
        """The pixels as bytes, round(clip(pixels) * 255), half to even; alpha, if there is one, comes last.

        >>> Picture(np.array([[[0.5, 2.0, np.nan]]]), 0, Outcome.DEAD, [], {}).to_uint8().tolist()
        [[[128, 255, 0]]]
        """
        # What is not a number has no byte; black is the one that every platform shows alike.
        values = np.nan_to_num(self._with_alpha(), nan=0.0, posinf=1.0, neginf=0.0)
        return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)

    def preview(self) -> "Image":
        """A PIL image to look at: as saved; of two bands the mean, of more than three the first three.

        >>> Picture(np.zeros((2, 3, 5)), 0, Outcome.DEAD, [], {}).preview().mode
        'RGB'
        """
        from PIL import Image

        channels = self.pixels.shape[-1]
        shown = self.pixels[..., :3] if channels > 2 else self.pixels.mean(-1, keepdims=True)
        return Image.fromarray(_squeeze(replace(self, pixels=shown).to_uint8()))

    def show(self) -> None:
        """The picture in a window, or in the notebook, by matplotlib."""
        from matplotlib import pyplot

        figure, axes = pyplot.subplots(layout="constrained")
        axes.imshow(np.asarray(self.preview().convert("RGBA")), interpolation="nearest")
        axes.set_axis_off()
        axes.set_title(f"{self.name}, score {self.score:.4g}, {self.outcome.value}")
        pyplot.show()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes the picture and, beside it, a JSON file: provenance, score, outcome, history, channels.

        `.png` and `.webp` hold 8 bits, 1 or 3 channels, the PNG the record too, as an iTXt chunk; `.npy`
        float32 exactly, any number of channels. Each file is whole or absent, and no picture lacks its JSON.

        Raises: FeatvizError if the extension is unknown, the folder missing or the file not to be written.
        """
        target = check_picture_path(path)
        channels, suffix = self.pixels.shape[-1], target.suffix.lower()
        if suffix != ".npy" and channels not in (1, 3):
            found = f"`pixels` have {channels} channels, but `{suffix}` holds 1 or 3"
            raise FeatvizError(f"{found}; expected a `.npy` path")
        record = self._record()
        short = json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False)
        long = json.dumps(record, sort_keys=True, indent=1, allow_nan=False) + "\n"
        # The picture last: where it is, its record is.
        files = [(target.with_suffix(".json"), long.encode()), (target, self._encode(suffix, short))]
        _write_all(files)
        return target

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.preview().save(buffer, "PNG")
        return buffer.getvalue()

    def _with_alpha(self) -> np.ndarray:
        return self.pixels if self.alpha is None else np.concatenate([self.pixels, self.alpha[..., None]], -1)

    def _record(self) -> dict[str, Any]:
        # The shortest decimals that give the same float32 again.
        history = [float(str(value)) for value in self.history]
        own = {"score": self.score, "outcome": self.outcome.value, "history": history}
        return plain_json({**self.provenance, **own, "channels": self.pixels.shape[-1]})

    def _encode(self, suffix: str, record: str) -> bytes:
        buffer = io.BytesIO()
        if suffix == ".npy":
            np.save(buffer, np.ascontiguousarray(self._with_alpha()), allow_pickle=False)
            return buffer.getvalue()
        from PIL import Image, PngImagePlugin

        image = Image.fromarray(_squeeze(self.to_uint8()))
        try:
            if suffix == ".png":
                chunks = PngImagePlugin.PngInfo()
                chunks.add_itxt(CHUNK, record)
                image.save(buffer, "PNG", pnginfo=chunks)
            else:
                # Exact: keep the colour of pixels that alpha hides.
                image.save(buffer, "WEBP", lossless=True, exact=True)
        except (OSError, ValueError) as error:
            size = f"{image.width} x {image.height}"
            raise FeatvizError(f"a picture of {size} cannot be a `{suffix}`: {_line(error)}") from None
        return buffer.getvalue()


def load_picture(path: str | os.PathLike[str]) -> Picture:
    """The picture of a .png, .webp or .npy file, with the record of the JSON beside it, else of the PNG.

    Without a record the score is nan, the outcome `OUT_OF_STEPS`, history and provenance empty.

    Raises: FeatvizError if there is no such file, or it holds no picture.
    """
    source = Path(path)
    suffix = _known_suffix(source)
    try:
        if not stat.S_ISREG(source.stat().st_mode):
            raise FeatvizError(f"`{source}` is no file; expected a picture")
        values, has_alpha, text = _read_npy(source) if suffix == ".npy" else _read_image(source)
    except FileNotFoundError:
        raise FeatvizError(f"there is no file `{source}`; expected a picture") from None
    except FeatvizError:
        raise
    # Decoders raise whatever they like on bytes that are not theirs.
    except Exception as error:
        raise FeatvizError(f"`{source}` is not a whole `{suffix}` picture: {_line(error)}") from None
    beside = source.with_suffix(".json")
    record = _read_record(beside) or (_parse_record(text, source) if text else None) or {}
    channels = record.get("channels", values.shape[-1])
    # An array does not say which channel is its alpha, and WebP has no grey: the record knows both.
    has_alpha = has_alpha or (suffix == ".npy" and channels == values.shape[-1] - 1)
    alpha, pixels = (values[..., -1], values[..., :-1]) if has_alpha else (None, values)
    pixels = pixels[..., :1] if suffix == ".webp" and channels == 1 else pixels
    provenance = {key: value for key, value in record.items() if key not in RECORD_KEYS}
    try:
        score, outcome = float(record.get("score", "nan")), Outcome(record.get("outcome", "out of steps"))
        history = np.array([float(value) for value in record.get("history", [])], np.float32)
    except (TypeError, ValueError) as error:
        raise FeatvizError(f"the record of `{source}` is damaged: {_line(error)}") from None
    return Picture(pixels, score, outcome, history, provenance, alpha)


def plain_json(value: Any, at: str = "provenance") -> Any:
    """The same value for strict JSON: tuples as lists, numpy's numbers as Python's, nan and inf as strings.

    >>> plain_json({"a": (np.float32(0.5), float("nan"), -math.inf)})
    {'a': [0.5, 'NaN', '-Infinity']}
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        return {str(key): plain_json(item, f"{at}.{key}") for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain_json(item, at) for item in value]
    # The spellings that both Python's float() and JavaScript's Number() read.
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise FeatvizError(f"`{at}` holds a {type(value).__name__}; expected plain JSON values")


def check_writable(path: str | os.PathLike[str]) -> Path:
    """The path, if a file can be written there; tried with a file that is removed at once.

    Raises: FeatvizError if the folder is missing, takes no file, or the path is a folder or a device.
    """
    target = Path(path)
    _check_place(target)
    # Asking for permissions is not enough: root has them all, also on a read-only disk.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_write_beside(target, b""))
    return target


def check_picture_path(path: str | os.PathLike[str]) -> Path:
    """The path, if `Picture.save` can write there; for a check before the work starts.

    Raises: FeatvizError also if the extension is unknown, or the JSON beside it is somebody else's.
    """
    target = Path(path)
    _known_suffix(target)
    beside = target.with_suffix(".json")
    check_writable(target)
    _check_place(beside)
    foreign = False
    if beside.exists():
        try:
            foreign = _read_record(beside) is None
        except FeatvizError:
            foreign = True
    if foreign:
        raise FeatvizError(f"`{beside}` is no picture's record; expected another name than `{target.name}`")
    return target


def write_whole(path: str | os.PathLike[str], data: bytes) -> Path:
    """Writes a file whole or not at all, even if the process is killed: a temporary file, then renamed.

    Raises: FeatvizError if the folder is missing or the file cannot be written.
    """
    target = Path(path)
    _check_place(target)
    _write_all([(target, data)])
    return target


def _write_all(files: Iterable[tuple[Path, bytes]]) -> None:
    # First all bytes, then all names: a full disk is met before any name has changed.
    written: list[tuple[str, Path]] = []
    try:
        for target, data in files:
            written.append((_write_beside(target, data), target))
        while written:
            temporary, target = written[0]
            try:
                os.replace(temporary, target)
            except OSError as error:
                raise _unwritable(target, error) from None
            written.pop(0)
    finally:
        for temporary, _ in written:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _write_beside(target: Path, data: bytes) -> str:
    # Not tempfile: its files are readable by their owner alone, and keep that when renamed.
    temporary = os.path.join(target.parent, f".featviz-{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            raise _unwritable(target, error) from None
        raise
    return temporary


def _check_place(target: Path) -> None:
    try:
        if not target.parent.is_dir():
            found = "is not a folder" if target.parent.exists() else "does not exist"
            raise FeatvizError(f"`{target.parent}` {found}; expected a folder for `{target.name}`")
        # Renaming onto a device, /dev/null say, would put a file in its place.
        if not stat.S_ISREG(target.stat().st_mode):
            found = "folder" if target.is_dir() else "device"
            raise FeatvizError(f"`{target}` is a {found}; expected a path for a file")
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unwritable(target, error) from None
    except FeatvizError:
        raise
    except ValueError as error:
        raise FeatvizError(f"`{target!s}` is no path: {_line(error)}") from None


def _unwritable(target: Path, error: OSError) -> FeatvizError:
    return FeatvizError(f"cannot write `{target}`: {error.strerror or _line(error)}")


def _known_suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        found = f"ends in `{path.suffix}`" if suffix else "has no extension"
        raise FeatvizError(f"`{path}` {found}; {nearest(suffix, SUFFIXES)}")
    return suffix


def _read_npy(path: Path) -> tuple[np.ndarray, bool, str]:
    # Mapped, not read: a header that promises more than the file holds is refused before memory is taken.
    mapped = np.lib.format.open_memmap(path, mode="r")
    if mapped.ndim not in (2, 3) or mapped.size == 0 or mapped.dtype.kind != "f":
        found = f"{mapped.dtype} of shape {mapped.shape}"
        raise FeatvizError(f"`{path}` holds {found}; expected floats, (height, width, channels)")
    values = np.array(mapped, np.float32)
    return values if values.ndim == 3 else values[..., None], False, ""


def _read_image(path: Path) -> tuple[np.ndarray, bool, str]:
    from PIL import Image

    with warnings.catch_warnings():
        # Pillow only warns of a picture of one to two times its limit.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path, formats=[path.suffix[1:].upper()]) as file:
            file.load()
            text, image = str(file.info.get(CHUNK, "")), file.copy()
    if "transparency" in image.info or image.mode == "PA":
        image = image.convert("RGBA")
    elif image.mode not in ("L", "LA", "RGB", "RGBA") and not image.mode.startswith("I"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    # Pillow opens 16-bit grey as integers, of up to 65535.
    top = 65535 if image.mode.startswith("I") else 255
    values = np.asarray(image).astype(np.float32) / np.float32(top)
    return values if values.ndim == 3 else values[..., None], image.mode in ("LA", "RGBA"), text


def _read_record(path: Path) -> dict[str, Any] | None:
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise FeatvizError(f"cannot read the record `{path}`: {_line(error)}") from None
    return _parse_record(text, path)


def _parse_record(text: str, path: Path) -> dict[str, Any] | None:
    """The record, or None if it is some other JSON, of the same stem by chance."""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FeatvizError(f"the record of a picture in `{path}` is no JSON: {_line(error)}") from None
    return record if isinstance(record, dict) and {"score", "outcome", "history"} <= record.keys() else None


def _squeeze(values: np.ndarray) -> np.ndarray:
    return values[..., 0] if values.shape[-1] == 1 else values


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
