"""What another process found out of the same network and pieces, such as which compiled program is theirs, untraced.

Tracing a network takes a second or two, and its export longer. A shortcut is found by the text of all that decides a
result (`spelling`), featviz's own source, the versions and JAX's settings; it holds the result, and what was observed
of the networks in it while they were traced, which must still be so. Where any of it is not known for certain there is
no shortcut, and the work is done.
"""

import contextlib
import enum
import functools
import hashlib
import importlib.metadata
import os
import platform
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax

import featviz
from featviz.common.files import write_all_atomic
from featviz.common.plain_json import from_json, to_json
from featviz.common.program_store import DIGEST, program_key, store_folder
from featviz.common.recency import least_recently_used
from featviz.common.spelling import KNOWN, Identified, UnspelledError, spell
from featviz.errors import FeatvizError

# Bytes of all entries together; one takes a few hundred to a few thousand.
MAX_BYTES = 2**24
# When this process had loaded featviz, or before.
LOADED = time.time()


class Shortcut(NamedTuple):
    """Where a result is kept, and the networks that it depends on."""

    path: Path
    networks: tuple[Identified, ...]


def find_shortcut(kind: str, parts: Any, *, options: Mapping[str, str] | None = None) -> Shortcut | None:
    """Where the result of a kind that `parts` decide is kept; None where nothing is kept or they do not decide it.

    Args:
      kind: what the result is.
      parts: all that decides it, see `spell`.
      options: XLA's options, of a program.
    """
    folder, source = store_folder(), source_digest()
    if folder is None or source is None or not jax.sharding.get_abstract_mesh().empty:
        return None
    networks: list[Identified] = []
    try:
        text = spell(parts, networks)
    except UnspelledError:
        return None
    # What the user's code around this call has set, also where that is for this thread alone.
    settings = [
        (name, value)
        for name in sorted(jax.config.values)
        if isinstance(value := getattr(jax.config, name, None), bool | int | float | str | enum.Enum)
    ]
    key = program_key("\0".join((kind, text, source, repr(settings))), options or {})
    return Shortcut(folder.parent / "shortcuts" / f"{key}.shortcut", tuple(networks))


def recall(shortcut: Shortcut | None) -> Any:
    """The result that was kept; None where there is none, or where a network would not do the same today."""
    if shortcut is None:
        return None
    try:
        data = shortcut.path.read_bytes()
        if hashlib.sha256(data[DIGEST:]).digest() != data[:DIGEST]:
            return None
        observed, result = from_json(data[DIGEST:], KNOWN)
        if not all(network.repeats(each) for network, each in zip(shortcut.networks, observed, strict=True)):
            return None
        os.utime(shortcut.path)
        return result
    # There is no such file, or one that is damaged or of classes that are gone.
    except Exception:
        return None


def keep(shortcut: Shortcut | None, result: Any) -> None:
    """Keeps a result, of plain values and pieces of featviz, unless something of a network could not be observed."""
    if shortcut is None:
        return
    observed = [network.observed() for network in shortcut.networks]
    if any(each is None for each in observed):
        return
    with contextlib.suppress(OSError, FeatvizError):
        data = to_json((observed, result), KNOWN).encode()
        shortcut.path.parent.mkdir(parents=True, exist_ok=True)
        write_all_atomic([(shortcut.path, hashlib.sha256(data).digest() + data)])
        entries = shortcut.path.parent.glob("*.shortcut")
        for path in least_recently_used(entries, last_used=lambda status: status.st_mtime, max_bytes=MAX_BYTES):
            path.unlink(missing_ok=True)


@functools.cache
def source_digest() -> str | None:
    """The hash of featviz's source and of the versions that it runs with; None where that is not what was loaded."""
    total = hashlib.sha256(platform.python_version().encode())
    folder = Path(featviz.__file__).parent
    files = sorted(folder.rglob("*.py"))
    if not files or not unchanged(files):
        return None
    for path in files:
        total.update(f"\0{path.relative_to(folder)}\0".encode() + path.read_bytes())
    for package in ("numpy", "optax", "jax", "jaxlib", "flax"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            total.update(f"\0{package} {importlib.metadata.version(package)}".encode())
    return total.hexdigest()


def unchanged(files: Iterable[Path | str]) -> bool:
    """Whether files are as this process may have loaded them: none was changed since it began, where that is known."""
    began = _process_start()
    try:
        return began is not None and all(os.stat(path).st_mtime < min(began, LOADED) for path in files)
    except OSError:
        return False


@functools.cache
def _process_start() -> float | None:
    """When this process began, in seconds since 1970, to a second; None where that is unknown, as outside Linux."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        lines = Path("/proc/stat").read_text().splitlines()
        boot = next(int(line.split()[1]) for line in lines if line.startswith("btime"))
        return boot + ticks / os.sysconf("SC_CLK_TCK") - 1.0
    except (OSError, ValueError, IndexError, StopIteration):
        return None
