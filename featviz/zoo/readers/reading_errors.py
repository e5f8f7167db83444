"""What the readers share: one-line errors, bounds on what is read, and the signatures of other kinds of file."""

import os
import stat
from pathlib import Path

from featviz.errors import ArgumentError, in_one_line, suggest

# The first bytes of files that are mistaken for weights.
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
    """What is wrong with a file, without its name, which `read_tensors` adds."""


class Budget:
    """A bound on what is read of an untrusted file.

    Args:
        limit: How much may be spent in all.
        message: The error when more is spent.
    """

    def __init__(self, limit: int, message: str) -> None:
        self.remaining, self.message = limit, message

    def spend(self, amount: int) -> None:
        """Takes an amount off what remains.

        Raises:
            MalformedError: If less remains.
        """
        self.remaining -= amount
        if self.remaining < 0:
            raise MalformedError(self.message)


def weights_error(name: str, problem: str) -> ArgumentError:
    """The error for a file of weights with that base name.

    >>> str(weights_error("a.pth", "is empty"))
    '`weights`: `a.pth` is empty'
    """
    return ArgumentError(f"`weights`: `{name}` {problem}")


def signature(start: bytes) -> str | None:
    """The kind of file that begins with these bytes, if it is a known one.

    >>> signature(bytes([0x93]) + b"NUMPY")
    'a NumPy array file'
    """
    return next((kind for begins, kind in SIGNATURES.items() if start.startswith(begins)), None)


def check_file(file: Path, *, expected: str = "a file of weights", ending: str | None = None) -> None:
    """Raises an error unless this is a regular file that is not empty.

    Args:
        file: The path.
        expected: What the message says was expected.
        ending: Where it is given, hints name only files with this ending.

    Raises:
        FeatvizError: That says what is there instead.
    """
    name = base_name(file)
    try:
        status = file.stat()
    except FileNotFoundError as error:
        hint = _neighbor(file, ENDINGS if ending is None else (ending,))
        raise ArgumentError(f"`weights`: there is no file `{name}`{hint}") from error
    except ValueError as error:
        # Python's own words differ from version to version.
        raise weights_error(name, "cannot be read: its name has a null byte") from error
    except OSError as error:
        raise weights_error(name, f"cannot be read: {reason(error)}") from error
    if stat.S_ISDIR(status.st_mode):
        raise weights_error(name, f"is a folder; expected {expected}")
    if not stat.S_ISREG(status.st_mode):  # a pipe or a device may never end
        raise weights_error(name, f"is not a regular file; expected {expected}")
    if status.st_size == 0:
        raise weights_error(name, f"is empty (0 bytes); expected {expected}")


def base_name(path: str | os.PathLike[str]) -> str:
    """The last part of a path, made safe for one line."""
    return one_line(Path(path).name or str(path))


def reason(error: Exception) -> str:
    """An exception's message on one line, without the path."""
    # The text of an OSError holds the path, that of safetensors begins with an internal step.
    message = error.args[0] if isinstance(error, KeyError) and error.args else error
    text = (isinstance(error, OSError) and error.strerror) or str(message) or type(error).__name__
    text = in_one_line(error) if isinstance(error, AttributeError) else text
    return one_line(text.removeprefix("Error while deserializing header: "))


def one_line(text: str, *, limit: int = 120) -> str:
    """Text from a file, made safe for one line: unprintable characters as `?`, cut at `limit` characters.

    >>> one_line("a" + chr(10) + "b")
    'a?b'
    """
    clean = "".join(character if character.isprintable() else "?" for character in text[: limit + 1])
    return clean if len(clean) <= limit else clean[: limit - 3] + "..."


def _neighbor(file: Path, endings: tuple[str, ...]) -> str:
    """A hint: the nearest file of weights in the same folder, or that the folder does not exist."""
    if not file.parent.is_dir():
        return "; its folder does not exist"
    others = sorted(one_line(other.name) for other in file.parent.iterdir() if other.suffix in endings)
    kind = f"{endings[0].removeprefix('.')} file" if len(endings) == 1 else "file of weights"
    return f"; {suggest(file.name, others)}" if others else f"; its folder holds no {kind}"
