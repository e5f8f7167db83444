"""JAX's compiled programs in a folder of bounded size, in which broken entries are replaced.

JAX writes an entry in place, so a kill can leave half of it. From then on JAX warns and compiles in each process, since
it never overwrites. Here each such warning removes the file before JAX writes the new one.
"""

import atexit
import contextlib
import gc
import glob
import re
import time
import warnings
import zlib
from pathlib import Path
from typing import Any

from featviz.common.rare_collection import THRESHOLDS
from featviz.common.recency import least_recently_used
from featviz.common.user_cache import cache_folder, keeps_programs

# Bytes of all entries together; a layer's programs take about half a megabyte.
MAX_BYTES = 2**30
# JAX's warning, with the exception's class; the names of a program's entries begin with the program's name.
WARNING = r"Error (reading|writing) persistent compilation cache entry for '([^']*)'(?:: (\w+))?"
# What zlib and zstandard raise for an entry that is incomplete.
INCOMPLETE = ("error", "ZstdError")


def use_compilation_cache() -> None:
    """Keeps compiled programs in the user's cache folder, so that a second process with the same layer starts fast.

    Those of JAX's own functions too, which `program_store` leaves out: the process is the command line's.
    """
    # Tracing makes many objects that stay: collecting them over and over took a tenth of the start.
    gc.set_threshold(*THRESHOLDS)
    # Nor are they collected when the process ends, which takes Python .4 s: the system takes the memory.
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
    if not keeps_programs():
        return
    # RuntimeError: there is no home.
    with contextlib.suppress(RuntimeError):
        use_cache_folder(cache_folder() / "xla")


def use_cache_folder(folder: Path) -> None:
    """Keeps compiled programs in a folder; does nothing if it cannot be made. No fault of the cache stops the work."""
    import jax

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    prune(folder)
    replace_broken(folder)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    # Small programs too: a dozen that create keys and constants take longer to compile than to read.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def prune(folder: Path, *, max_bytes: int = MAX_BYTES) -> None:
    """Removes the least recently used entries down to half of `max_bytes`, if there are more bytes than that.

    JAX's own bound, `jax_compilation_cache_max_size`, needs another package, and fails for good after a kill between
    the writing of an entry's two files.
    """
    programs = folder.glob("*-cache")
    used = least_recently_used(
        programs, last_used=lambda status: max(status.st_atime, status.st_mtime), max_bytes=max_bytes
    )
    for path in used:
        _remove(path)


def replace_broken(folder: Path) -> None:
    """From now on, removes each entry that JAX warns about in place of showing the warning.

    The warning comes before JAX compiles and writes, so the same process writes a good entry. If another version of JAX
    has another wording, its warning is shown and nothing is removed.
    """
    show, since = warnings.showwarning, time.time()

    def handle_warning(
        message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None
    ) -> None:
        match = re.match(WARNING, str(message))
        if match is None:
            show(message, category, filename, lineno, file, line)
        else:
            refused = match[1] == "reading" and match[3] not in INCOMPLETE
            remove_broken(folder, match[2], refused_before=since if refused else 0.0)

    # Every time, and also where warnings are errors.
    warnings.filterwarnings("always", message=WARNING)
    warnings.showwarning = handle_warning


def remove_broken(folder: Path, program: str, *, refused_before: float = 0.0) -> None:
    """Removes a program's entries that are incomplete.

    Args:
      program: the program's name, with which its entries' names begin.
      refused_before: the time in seconds before which one was written that XLA has refused, though it is complete. It
        is not known which, and all that are older are removed.
    """
    for path in folder.glob(f"{glob.escape(program)}-*-cache"):
        # OSError: another process has removed it.
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < refused_before or not _is_complete(path):
                path.unlink()


def _is_complete(path: Path) -> bool:
    # With zstandard installed JAX uses that: then every entry looks incomplete, and more than needed are made again.
    try:
        zlib.decompress(path.read_bytes())
    except (OSError, zlib.error):
        return False
    return True


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
