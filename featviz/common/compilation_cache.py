"""JAX's compiled programs in a folder: bounded in size, and one that a kill left broken is replaced.

JAX writes an entry in place, so a kill can leave half of it. It then warns and compiles, but keeps the broken file
for ever, since it never writes over an entry. Here each such warning removes the file, before JAX writes the new one.
"""

import contextlib
import gc
import glob
import re
import warnings
import zlib
from pathlib import Path
from typing import Any

from featviz.common.user_cache import cache_folder

# Bytes of all entries together; a layer's programs take about half a megabyte.
LARGEST = 2**30
# What JAX warns of; the name is the program's, with which the names of its entries begin.
TROUBLE = r"Error (reading|writing) persistent compilation cache entry for '([^']*)'"


def use_compilation_cache() -> None:
    """Keeps compiled programs in the user's cache folder, so that a second process with the same layer starts fast."""
    # Tracing makes many objects that stay: collecting them over and over took a tenth of the start.
    gc.set_threshold(50_000, 20, 20)
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
    # The small ones too: a dozen programs that place keys and numbers take longer to compile than to read.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def prune(folder: Path, *, largest: int = LARGEST) -> None:
    """Removes the entries not used for longest, until all together have at most half of `largest` bytes.

    Only if they have more than `largest`. JAX's own bound, `jax_compilation_cache_max_size`, needs another package,
    and fails from then on when a kill has come between its two files of an entry.
    """
    entries = []
    for path in folder.glob("*-cache"):
        with contextlib.suppress(OSError):
            status = path.stat()
            entries.append((max(status.st_atime, status.st_mtime), status.st_size, path))
    total = sum(size for _, size, _ in entries)
    if total <= largest:
        return
    for _, size, path in sorted(entries):
        if total <= largest // 2:
            break
        _remove(path)
        total -= size


def replace_broken(folder: Path) -> None:
    """From now on, JAX's warning of an entry that it cannot read or write is not shown: the entry is removed.

    The warning comes before JAX compiles and writes, so the same run puts a good entry in its place. Should another
    version of JAX warn in other words, they are shown, and nothing is removed.
    """
    show = warnings.showwarning

    def notice(message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None) -> None:
        trouble = re.match(TROUBLE, str(message))
        if trouble is None:
            show(message, category, filename, lineno, file, line)
        else:
            remove_broken(folder, trouble[2], refused=trouble[1] == "reading")

    # Also the second time, and where warnings are errors.
    warnings.filterwarnings("always", message=TROUBLE)
    warnings.showwarning = notice


def remove_broken(folder: Path, program: str, *, refused: bool = False) -> None:
    """Removes the entries of a program that are not whole.

    `refused` says that JAX has refused one of them: if all are whole, it is not known which, and all go.
    """
    entries = list(folder.glob(f"{glob.escape(program)}-*-cache"))
    broken = [path for path in entries if not _is_whole(path)]
    for path in broken or (entries if refused else []):
        _remove(path)


def _is_whole(path: Path) -> bool:
    # Where zstandard is installed, JAX uses that: then no entry counts as whole, and more are made again than need be.
    try:
        zlib.decompress(path.read_bytes())
    except (OSError, zlib.error):
        return False
    return True


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
