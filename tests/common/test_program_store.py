"""Compiled programs in the user's cache folder: a second process compiles nothing, no fault there stops the work."""

import json
import os
import random
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from featviz.common.compilation import compiled
from featviz.common.program_store import DIGEST, load_or_compile, program_key, prune

# Renders and prints the pixels and the names of what XLA compiled.
RENDER = """
import hashlib, json, jax, featviz as fv
names = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, seconds, **about: names.append(about["fun_name"]) if "backend_compile" in event else None
)
picture = fv.render(fv.load("patterns"), fv.channel("conv1", 0), size=32, steps=2, progress=False)
print(json.dumps([hashlib.sha256(picture.pixels.tobytes()).hexdigest(), names]))
"""
BIG = {"jit(start)", "jit(advance)", "jit(finish)"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FEATVIZ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FEATVIZ_KEEP_PROGRAMS", "1")
    before = jax.config.jax_compilation_cache_dir  # another test of this process may have set it
    jax.config.update("jax_compilation_cache_dir", None)
    yield tmp_path / "cache" / "programs"
    jax.config.update("jax_compilation_cache_dir", before)


def render(cache, **environment):
    environment = os.environ | {"FEATVIZ_CACHE": str(cache), "FEATVIZ_KEEP_PROGRAMS": "1"} | environment
    result = subprocess.run(
        [sys.executable, "-c", RENDER], env=environment, capture_output=True, text=True, check=True, timeout=300
    )
    assert not result.stderr
    pixels, names = json.loads(result.stdout)
    return pixels, set(names)


def doubled(scale=2.0):
    """A new function each time, so that only the disk can know its program."""
    return jax.jit(lambda x: scale * x + jnp.sum(x))


def entries(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.program")}


ONES = np.ones(3, np.float32)


@pytest.mark.slow
def test_a_second_process_compiles_no_program(tmp_path):
    pixels, names = render(tmp_path)
    assert names >= BIG
    again, names = render(tmp_path)
    assert again == pixels and not names & BIG
    # Another cache of JAX's own is the user's, and keeps them in place of this one.
    before = entries(tmp_path / "programs")
    third, names = render(tmp_path, JAX_COMPILATION_CACHE_DIR=str(tmp_path / "own"))
    assert third == pixels and names >= BIG and entries(tmp_path / "programs") == before
    assert render(tmp_path, FEATVIZ_KEEP_PROGRAMS="0")[1] >= BIG


def test_the_process_is_left_as_it_was(folder):
    before = dict(jax.config.values)
    compiled(doubled(), ONES)
    assert dict(jax.config.values) == before and len(entries(folder)) == 1


def test_broken_entries_are_written_anew(folder):
    expected = compiled(doubled(), ONES)(ONES)
    ((name, good),) = entries(folder).items()
    draw = random.Random(0)
    for broken in (b"", good[:7], good[:-1], good[: len(good) // 2] + bytes(len(good)), draw.randbytes(len(good))):
        (folder / name).write_bytes(broken)
        np.testing.assert_array_equal(compiled(doubled(), ONES)(ONES), expected)
        (mended,) = entries(folder).values()
        assert mended != broken and len(mended) > DIGEST
    # What is whole is read, and stays.
    compiled(doubled(), ONES)
    assert entries(folder) == {name: mended}


@pytest.mark.parametrize("place", ["file", "missing/../file"])
def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path, monkeypatch, place):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FEATVIZ_CACHE", str(tmp_path / place))
    monkeypatch.setenv("FEATVIZ_KEEP_PROGRAMS", "1")
    assert compiled(doubled(), ONES)(ONES).tolist() == [5.0, 5.0, 5.0]
    assert (tmp_path / "file").read_text() == ""


def test_what_cannot_be_kept_is_compiled(folder):
    def call_back(x):
        return jax.pure_callback(lambda x: np.asarray(x) + 1, jax.ShapeDtypeStruct((3,), np.float32), x)

    assert compiled(jax.jit(call_back), ONES)(ONES).tolist() == [2.0, 2.0, 2.0]


def test_the_key_says_what_a_program_depends_on(monkeypatch):
    keys = [program_key("a", {}), program_key("b", {}), program_key("a", {"xla_backend_optimization_level": "0"})]
    monkeypatch.setenv("XLA_FLAGS", os.environ.get("XLA_FLAGS", "") + " --xla_cpu_enable_fast_math=true")
    keys.append(program_key("a", {}))
    assert len(set(keys)) == 4 and program_key("a", {}) == keys[-1]


def test_programs_of_other_constants_are_others(folder):
    for seed in range(2):
        constant = np.random.default_rng(seed).random(100_000, np.float32)
        add = jax.jit(lambda x, constant=constant: x + constant)
        np.testing.assert_array_equal(compiled(add, np.zeros_like(constant))(np.zeros_like(constant)), constant)
        array = jnp.asarray(constant)
        add = jax.jit(lambda x, array=array: x + array)
        np.testing.assert_array_equal(compiled(add, np.zeros_like(constant))(np.zeros_like(constant)), constant)


def test_arguments_that_nothing_reads_are_part_of_a_program(folder):
    # Their shapes are checked when it is called: two dictionaries of a layer have one text for what is not of theirs.
    for width in (6, 4):
        args = (np.ones(3, np.float32), np.ones(width, np.float32))
        program = load_or_compile(jax.jit(lambda x, unread: 2 * x).lower(*args), {})
        assert program(*args).tolist() == [2, 2, 2]


def test_options_are_compiled_apart(folder):
    lowered = doubled().lower(ONES)
    for level in ("0", "3"):
        load_or_compile(lowered, {"xla_backend_optimization_level": level})
    assert len(entries(folder)) == 2


def test_the_least_recently_used_go(tmp_path):
    for index in range(8):
        path = tmp_path / f"{index}.program"
        path.write_bytes(bytes(100))
        os.utime(path, (index, index))
    (tmp_path / "other").write_bytes(bytes(10_000))
    prune(tmp_path, max_bytes=800)
    assert len(list(tmp_path.glob("*.program"))) == 8
    prune(tmp_path, max_bytes=700)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["5.program", "6.program", "7.program", "other"]
