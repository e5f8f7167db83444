"""How commands end: 0, 1 when the work failed, 2 when the command was wrong, 130 after Ctrl-C."""

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Iterator

import click

from featviz.errors import FeatvizError

# As click has it.
WRONG_COMMAND = 2
# A shell's status for a program that Ctrl-C ended: 128 + SIGINT.
INTERRUPTED = 130
# What the system may answer to correct work.
SYSTEM_ERRORS = {
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE,
    errno.ENFILE, errno.ENOMEM, errno.EPIPE, errno.EBADF, errno.ENAMETOOLONG,
}  # fmt: skip


# Those of them that no other command would have avoided.
EXHAUSTED = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM}


class Interrupted(click.ClickException):
    """Ctrl-C ended the work; the message says what is kept."""

    exit_code = INTERRUPTED


@contextlib.contextmanager
def usage_errors() -> Iterator[None]:
    """Turns every FeatvizError of its block into a usage error, exit status 2, but for a full disk and the like."""
    try:
        yield
    except FeatvizError as error:
        # `from None` hides what the system said, and keeps it here.
        if isinstance(error.__context__, OSError) and error.__context__.errno in EXHAUSTED:
            raise
        raise click.UsageError(str(error)) from error


@contextlib.contextmanager
def interruptible(message: Callable[[], str]) -> Iterator[None]:
    """Turns a Ctrl-C during its block into `Interrupted` with a message, which is made at that moment.

    Args:
      message: returns what is finished, and how the command is continued.

    Raises:
      Interrupted: if Ctrl-C ends the block, also where a library has turned it into another error.
    """
    try:
        yield
    except (KeyboardInterrupt, Exception) as error:
        if not was_interrupted(error):
            raise
        raise Interrupted(message()) from error


def was_interrupted(error: BaseException) -> bool:
    """Whether a Ctrl-C is the error itself or among its causes.

    JAX makes a ValueError of a Ctrl-C that comes while it compares a program's metadata, and frameworks do the like.
    """
    pending: list[BaseException | None] = [error]
    visited: set[int] = set()
    while pending:
        cause = pending.pop()
        if isinstance(cause, KeyboardInterrupt):
            return True
        if cause is not None and id(cause) not in visited:
            visited.add(id(cause))
            pending += [cause.__cause__, cause.__context__]
    return False


def describe_system_error(error: BaseException) -> str | None:
    """What the system lacks, if that and no bug is why an error came: space on a disk, permission, open files.

    >>> describe_system_error(OSError(errno.ENOSPC, "No space left on device", "out.png"))
    'No space left on device: `out.png`'
    """
    if not isinstance(error, OSError) or error.errno not in SYSTEM_ERRORS:
        return None
    reason = os.strerror(error.errno or 0)
    return f"{reason}: `{error.filename}`" if error.filename else reason


def close_output() -> None:
    """Leaves nothing for Python to write when it ends, where it would fail again with a message of its own."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def one_printable_line(message: str) -> str:
    r"""A message on one line, with escapes in place of what does not print.

    A name out of a file may hold anything, and control characters would reach the terminal.

    >>> one_printable_line("no layer `\x1b[31m`;\nexpected `conv1`")
    'no layer `\\x1b[31m`; expected `conv1`'
    """
    line = " ".join(message.split())
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
