"""What the readers share: one line that says what is wrong with a file, and what other kinds of file begin with."""

import os
import stat
from pathlib import Path

from featviz.errors import FeatvizError, nearest

# How kinds of file begin that people hand over for weights.
SIGNATURES = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"PK\x03\x04": "a zip archive, such as torch.save and numpy.savez write",
    b"\x89HDF": "an HDF5 file, such as Keras writes",
    b"\x93NUMPY": "a NumPy array file",
    b"\x80\x02": "a pickle",
    b"\x80\x03": "a pickle",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
    b"\x1f\x8b": "a gzip archive",
    b"<!DOCTYPE": "a web page, not the file it offers",
    b"<html": "a web page, not the file it offers",
    b"version https://git-lfs": "a pointer of Git LFS, not the file it points to",
}
# The endings of files of weights, for hints.
ENDINGS = (".safetensors", ".pth", ".pt", ".caffemodel", ".h5", ".hdf5")


class MalformedError(ValueError):
    """What a reader found wrong, without the file's name; `read_tensors` makes the one line of it."""


def wrong(name: str, what: str) -> FeatvizError:
    """The error that a file of that base name is refused with.

    >>> str(wrong("a.pth", "is empty"))
    '`weights`: `a.pth` is empty'
    """
    return FeatvizError(f"`weights`: `{name}` {what}")


def signature(start: bytes) -> str | None:
    """What kind of file begins like this, if it is one of those known.

    >>> signature(bytes([0x93]) + b"NUMPY")
    'a NumPy array file'
    """
    return next((kind for begins, kind in SIGNATURES.items() if start.startswith(begins)), None)


def check_file(file: Path, *, expected: str = "a file of weights", ending: str | None = None) -> None:
    """Refuses what is no regular file with something in it; of endings, a hint names only files with that one.

    Raises: FeatvizError that says what is there.
    """
    name = base_name(file)
    try:
        status = file.stat()
    except FileNotFoundError as error:
        hint = _neighbor(file, ENDINGS if ending is None else (ending,))
        raise FeatvizError(f"`weights`: there is no file `{name}`{hint}") from error
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise wrong(name, f"cannot be read: {reason(error)}") from error
    if stat.S_ISDIR(status.st_mode):
        raise wrong(name, f"is a folder; expected {expected}")
    if not stat.S_ISREG(status.st_mode):  # a pipe or a device may never end
        raise wrong(name, f"is not a regular file; expected {expected}")
    if status.st_size == 0:
        raise wrong(name, f"is empty (0 bytes); expected {expected}")


def base_name(path: str | os.PathLike[str]) -> str:
    """The last part of a path, fit for one line."""
    return one_line(Path(path).name or str(path))


def reason(error: Exception) -> str:
    """What an exception says, on one line and without the path."""
    # An OSError's text holds the whole path; safetensors' names a step of its own first.
    said = error.args[0] if isinstance(error, KeyError) and error.args else error
    text = (isinstance(error, OSError) and error.strerror) or str(said) or type(error).__name__
    return one_line(text.removeprefix("Error while deserializing header: "))


def one_line(text: str, *, limit: int = 120) -> str:
    """Text from a file, fit for one line: unprintable characters as `?`, cut at `limit` characters.

    >>> one_line("a" + chr(10) + "b")
    'a?b'
    """
    clean = "".join(character if character.isprintable() else "?" for character in text[: limit + 1])
    return clean if len(clean) <= limit else clean[: limit - 3] + "..."


def _neighbor(file: Path, endings: tuple[str, ...]) -> str:
    """A hint at a weights file in the same folder, or that there is no such folder."""
    if not file.parent.is_dir():
        return "; its folder does not exist"
    others = sorted(one_line(other.name) for other in file.parent.iterdir() if other.suffix in endings)
    kind = f"{endings[0].removeprefix('.')} file" if len(endings) == 1 else "file of weights"
    return f"; {nearest(file.name, others)}" if others else f"; its folder holds no {kind}"
