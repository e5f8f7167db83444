"""Compiled programs in the user's cache folder, so that a second process with the same network and size starts fast.

An entry's name is the hash of all that its program depends on: the program before compilation, XLA's options, the
versions and the processor. JAX's own cache, which is for all programs of a process, is left as the user has it; where
that is on, it keeps these programs too and nothing is kept here.
"""

import contextlib
import functools
import hashlib
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jaxlib

from featviz.common.files import write_all_atomic
from featviz.common.recency import least_recently_used
from featviz.common.user_cache import cache_folder, keeps_programs
from featviz.errors import FeatvizError

# Bytes of all entries together; a layer's programs take about 3 MB.
MAX_BYTES = 2**30
# The length of the SHA-256 that an entry begins with.
DIGEST = 32


def load_or_compile(lowered: Any, options: Mapping[str, str]) -> Any:
    """The compiled program of what `jax.jit(...).lower` returns, from the disk if it is there.

    No fault of the disk stops the work: what cannot be read is compiled, and what cannot be written is not kept.

    Args:
      lowered: the program before compilation.
      options: XLA's options.
    """
    return load_or_compile_entry(lowered, options)[0]


def load_or_compile_entry(lowered: Any, options: Mapping[str, str]) -> tuple[Any, str | None]:
    """The same, and the key of the program's entry, None where nothing is kept."""
    folder = store_folder()
    if folder is None:
        return lowered.compile(compiler_options=dict(options)), None
    # The text lacks arguments that nothing reads, such as a dictionary's, of which a program checks the shapes.
    key = program_key(f"{lowered.as_text()}\0{jax.tree.leaves(lowered.in_avals)}", options)
    program = load_program(key, lowered.in_tree, lowered.out_tree)
    if program is None:
        program = lowered.compile(compiler_options=dict(options))
        _write(_entry(folder, key), program)
    return program, key


def load_program(key: str, in_tree: Any, out_tree: Any) -> Any:
    """The compiled program of an entry, None where there is none; the trees are those of its arguments and results."""
    folder = store_folder()
    return None if folder is None else _read(_entry(folder, key), in_tree, out_tree)


def program_key(text: str, options: Mapping[str, str]) -> str:
    """The hash of all that a compiled program depends on, in hexadecimal."""
    total = hashlib.sha256(text.encode())
    # JAX's own settings, some of which change how it compiles.
    settings = [
        (name, value)
        for name, value in sorted(jax.config.values.items())
        if isinstance(value, bool | int | float | str) and "cache" not in name
    ]
    for part in (sorted(options.items()), settings, *_surroundings(), os.environ.get("XLA_FLAGS", "")):
        total.update(f"\0{part}".encode())
    return total.hexdigest()[:40]


@functools.cache
def _surroundings() -> tuple[str, ...]:
    """The versions, the device and the processor, whose instructions and cores a program is compiled for."""
    device = jax.devices()[0]
    processor = platform.processor()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = "\n".join(sorted({line for line in lines if line.startswith(("flags", "model name", "Features"))}))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = (jax.__version__, jaxlib.__version__, device.client.platform_version)
    return (*versions, device.device_kind, platform.platform(), platform.machine(), processor, str(cores))


def store_folder() -> Path | None:
    """The folder of the entries, or None where none are kept."""
    # The device of a program is not part of its entry: with several, one program would run on another's.
    if not keeps_programs() or jax.config.values.get("jax_compilation_cache_dir") or len(jax.devices()) != 1:
        return None
    # RuntimeError: there is no home.
    with contextlib.suppress(RuntimeError):
        return cache_folder() / "programs"
    return None


def _entry(folder: Path, key: str) -> Path:
    return folder / f"{key}.program"


def _read(path: Path, in_tree: Any, out_tree: Any) -> Any:
    from jax.experimental.serialize_executable import deserialize_and_load

    try:
        data = path.read_bytes()
        if hashlib.sha256(data[DIGEST:]).digest() != data[:DIGEST]:
            raise ValueError(f"`{path}` is damaged")
        program = deserialize_and_load(data[DIGEST:], in_tree, out_tree)
        # The least recently used go first.
        os.utime(path)
        return program
    except FileNotFoundError:
        return None
    # Whatever a damaged or foreign entry makes XLA raise: the program is compiled and written anew.
    except Exception:
        with contextlib.suppress(OSError):
            path.unlink()
        return None


def _write(path: Path, program: Any) -> None:
    from jax.experimental.serialize_executable import serialize

    # Some programs cannot be serialized, those that call back to Python say.
    try:
        data, _, _ = serialize(program)
    except Exception:
        return
    with contextlib.suppress(OSError, FeatvizError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_all_atomic([(path, hashlib.sha256(data).digest() + data)])
        prune(path.parent)


def prune(folder: Path, *, max_bytes: int | None = None) -> None:
    """Removes the least recently used entries down to half of `max_bytes`, if there are more bytes than that."""
    max_bytes = MAX_BYTES if max_bytes is None else max_bytes
    programs = folder.glob("*.program")
    for path in least_recently_used(programs, last_used=lambda status: status.st_mtime, max_bytes=max_bytes):
        with contextlib.suppress(OSError):
            path.unlink()
