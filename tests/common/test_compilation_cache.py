"""Compiled programs on the disk: a broken one is replaced, and nothing there stops the work."""

import os
import random
import subprocess
import sys
import warnings
import zlib

import pytest

from featviz.common.compilation_cache import prune, remove_broken, replace_broken
from featviz.pictures.picture import load_picture

WORDS = ["render", "patterns", "conv1:0", "--size", "32", "--steps", "2"]


def render(cache, out):
    """The picture's pixels, and what the command said on standard error."""
    code = f"from featviz.cli.main import run; run({[*WORDS, '-o', str(out)]!r})"
    environment = os.environ | {"FEATVIZ_CACHE": str(cache), "FEATVIZ_KEEP_PROGRAMS": "1"}
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=300
    )
    return load_picture(out).pixels.tobytes(), result.stderr


def entries(cache):
    return {path.name: path.read_bytes() for path in (cache / "xla").glob("*-cache")}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """A cache folder with all programs of one picture, and the pixels."""
    cache = tmp_path_factory.mktemp("cache")
    pixels, _ = render(cache, cache / "first.npy")
    assert any(name.startswith("jit_advance-") for name in entries(cache))
    return cache, pixels


@pytest.mark.slow
def test_broken_entries_are_replaced_in_the_same_run(rendered, tmp_path):
    cache, pixels = rendered
    draw = random.Random(0)
    breaks = [
        lambda data: b"",
        lambda data: data[:7],
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2] + bytes(len(data) - len(data) // 2),  # as a power cut leaves it
        lambda data: draw.randbytes(len(data)),
        lambda data: data[:99] + bytes([data[99] ^ 4]) + data[100:],
        lambda data: zlib.compress(data),  # whole, but XLA refuses what is in it
    ]
    good = entries(cache)
    broken = {name: breaks[at % len(breaks)](data) for at, (name, data) in enumerate(sorted(good.items()))}
    for name, data in broken.items():
        (cache / "xla" / name).write_bytes(data)
    again, said = render(cache, tmp_path / "again.npy")
    assert again == pixels and "Traceback" not in said and "Error" not in said and "Warning" not in said
    mended = entries(cache)
    assert mended.keys() == good.keys() and not any(mended[name] == broken[name] for name in good)
    # The good ones are read and stay as they are.
    render(cache, tmp_path / "third.npy")
    assert entries(cache) == mended


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files")
def test_a_full_disk_stops_nothing(rendered, tmp_path):
    pixels = rendered[1]
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); "
        f"from featviz.cli.main import run; run({[*WORDS, '-o', str(tmp_path / 'x.npy')]!r})"
    )
    environment = os.environ | {"FEATVIZ_CACHE": str(tmp_path / "cache"), "FEATVIZ_KEEP_PROGRAMS": "1"}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0 and "Error" not in result.stderr and "Warning" not in result.stderr
    assert load_picture(tmp_path / "x.npy").pixels.tobytes() == pixels
    assert all(zlib.decompress(data) for data in entries(tmp_path / "cache").values())


def test_a_file_in_the_folders_place_stops_nothing(tmp_path, monkeypatch):
    from featviz.common.compilation_cache import use_compilation_cache

    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FEATVIZ_CACHE", str(tmp_path / "file"))
    monkeypatch.setenv("FEATVIZ_KEEP_PROGRAMS", "1")
    use_compilation_cache()
    assert (tmp_path / "file").read_text() == ""


def test_only_the_broken_entries_of_the_program_go(tmp_path):
    whole = zlib.compress(b"program")
    files = {"jit_a-1-cache": whole, "jit_a-2-cache": whole[:-1], "jit_b-1-cache": b"", "jit_a-1-atime": b"", "x": b""}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    remove_broken(tmp_path, "jit_a")
    assert {path.name for path in tmp_path.iterdir()} == files.keys() - {"jit_a-2-cache"}
    # A whole one was refused that is older, or is none of these.
    written = (tmp_path / "jit_a-1-cache").stat().st_mtime
    remove_broken(tmp_path, "jit_a", refused_before=written)
    assert (tmp_path / "jit_a-1-cache").exists()
    remove_broken(tmp_path, "jit_a", refused_before=written + 1)
    assert {path.name for path in tmp_path.iterdir()} == files.keys() - {"jit_a-1-cache", "jit_a-2-cache"}


@pytest.mark.parametrize(
    ("fault", "left"),
    [
        ("error: Error -5 while decompressing data", {"jit_a-1-cache"}),
        # One that is whole, whatever others of that name are.
        ("JaxRuntimeError: INVALID_ARGUMENT: cannot be deserialized", set()),
    ],
)
def test_the_warning_says_which_entries_go(tmp_path, fault, left):
    whole = zlib.compress(b"program")
    (tmp_path / "jit_a-1-cache").write_bytes(whole)
    (tmp_path / "jit_a-2-cache").write_bytes(whole[:-1])
    os.utime(tmp_path / "jit_a-1-cache", (1000, 1000))
    with warnings.catch_warnings():
        replace_broken(tmp_path)
        warnings.warn(f"Error reading persistent compilation cache entry for 'jit_a': {fault}", stacklevel=1)
    assert {path.name for path in tmp_path.iterdir()} == left


def test_other_warnings_are_shown(tmp_path):
    with warnings.catch_warnings():
        shown = []
        warnings.showwarning = lambda message, *_: shown.append(str(message))
        warnings.simplefilter("always")
        replace_broken(tmp_path)
        warnings.warn("Error writing persistent compilation cache entry for 'jit_a': OSError: full", stacklevel=1)
        warnings.warn("another", stacklevel=1)
    assert shown == ["another"]


def test_what_was_not_used_for_longest_goes_first(tmp_path):
    for at in range(10):
        path = tmp_path / f"jit_a-{at}-cache"
        path.write_bytes(bytes(100))
        os.utime(path, (1000 + at, 1000 + at))
    (tmp_path / "other").write_bytes(bytes(5000))
    prune(tmp_path, max_bytes=1000)
    assert len(list(tmp_path.glob("*-cache"))) == 10
    prune(tmp_path, max_bytes=999)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"jit_a-{at}-cache" for at in range(6, 10)] + ["other"]


def test_a_command_ends_without_a_last_collection(tmp_path):
    code = """
import atexit, gc
atexit.register(lambda: print(gc.get_freeze_count() > 1000))
from featviz.common.compilation_cache import use_compilation_cache
use_compilation_cache()
use_compilation_cache()
"""
    environment = os.environ | {"FEATVIZ_CACHE": str(tmp_path)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)
    assert (result.returncode, result.stdout, result.stderr) == (0, "True\n", "")
