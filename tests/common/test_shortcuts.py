"""Shortcuts: results of another process, found only where all that decides them is the same."""

import time
from types import SimpleNamespace

import jax
import numpy as np
import pytest

import featviz as fv
from featviz.common import compilation, shortcuts
from featviz.common.shortcuts import LOADED, find_shortcut, keep, recall, unchanged
from featviz.common.spelling import Identified, UnspelledError
from featviz.optimizers import Adam


class Network(Identified):
    """A network that does something, or cannot say what."""

    def __init__(self, does, name="network"):
        self.does, self.name = does, name

    def identity(self):
        if self.name is None:
            raise UnspelledError("nameless")
        return self.name

    def observed(self):
        return self.does

    def repeats(self, observed):
        return observed == self.does


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FEATVIZ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FEATVIZ_KEEP_PROGRAMS", "1")
    # The source may have been edited a moment ago.
    monkeypatch.setattr(shortcuts, "source_digest", lambda: "source")
    before = jax.config.jax_compilation_cache_dir  # another test of this process may have set it
    jax.config.update("jax_compilation_cache_dir", None)
    yield tmp_path / "cache" / "shortcuts"
    jax.config.update("jax_compilation_cache_dir", before)


def test_a_result_is_found_again(folder):
    assert recall(find_shortcut("kind", (1, Adam()))) is None
    keep(find_shortcut("kind", (1, Adam())), {"layers": ("a", 2)})
    assert recall(find_shortcut("kind", (1, Adam()))) == {"layers": ("a", 2)}


def test_all_that_decides_a_result_is_in_the_key(folder, monkeypatch):
    def path(kind="kind", parts=(1, Adam()), **options):
        return find_shortcut(kind, parts, **options).path

    first = path()
    others = [path("other"), path(parts=(2, Adam())), path(parts=(1, Adam(0.06))), path(options={"level": "0"})]
    with jax.default_matmul_precision("highest"):
        others.append(path())
    with jax.debug_nans(True):
        others.append(path())
    monkeypatch.setattr(shortcuts, "source_digest", lambda: "other source")
    others.append(path())
    assert len({first, *others}) == len(others) + 1


def test_a_network_that_does_something_else_has_no_result(folder):
    keep(find_shortcut("kind", Network([1])), "result")
    assert recall(find_shortcut("kind", Network([1]))) == "result"
    assert recall(find_shortcut("kind", Network([2]))) is None
    assert recall(find_shortcut("kind", Network([1], "other"))) is None


def test_nothing_is_kept_of_what_cannot_be_recognized(folder, monkeypatch):
    assert find_shortcut("kind", lambda: 0) is None and find_shortcut("kind", Network([1], None)) is None
    keep(find_shortcut("kind", Network(None)), "result")
    keep(find_shortcut("kind", Network([1])), lambda: 0)
    assert not list(folder.glob("*"))
    monkeypatch.setattr(shortcuts, "source_digest", lambda: None)
    assert find_shortcut("kind", 1) is None
    monkeypatch.setattr(shortcuts, "source_digest", lambda: "source")
    monkeypatch.setenv("FEATVIZ_KEEP_PROGRAMS", "0")
    assert find_shortcut("kind", 1) is None
    keep(None, "result")
    assert recall(None) is None


def test_damaged_entries_are_no_results(folder):
    shortcut = find_shortcut("kind", 1)
    keep(shortcut, "result")
    good = shortcut.path.read_bytes()
    for broken in (b"", good[:5], good[:-1], good + b"0", bytes(len(good))):
        shortcut.path.write_bytes(broken)
        assert recall(shortcut) is None
    shortcut.path.write_bytes(good)
    assert recall(shortcut) == "result"


def test_the_folder_is_bounded(folder, monkeypatch):
    monkeypatch.setattr(shortcuts, "MAX_BYTES", 2000)
    for index in range(60):
        keep(find_shortcut("kind", index), "result")
    assert 0 < sum(path.stat().st_size for path in folder.glob("*")) <= 2000


def test_files_that_changed_after_they_may_have_been_loaded_are_not_trusted(tmp_path):
    (tmp_path / "new.py").write_text("")
    assert not unchanged([tmp_path / "new.py"]) and not unchanged([tmp_path / "missing.py"])
    assert time.time() > LOADED


def test_a_file_is_trusted_only_where_the_start_of_the_process_is_known(tmp_path, monkeypatch):
    monkeypatch.setattr(shortcuts, "LOADED", time.time() + 10)
    (tmp_path / "a.py").write_text("")
    for start, trusted in ((None, False), (time.time() + 10, True), (time.time() - 10, False)):
        monkeypatch.setattr(shortcuts, "_process_start", lambda start=start: start)
        assert unchanged([tmp_path / "a.py"]) == trusted


def test_the_start_of_a_process_is_near(monkeypatch):
    began = shortcuts._process_start()
    assert began is None or began - 3 < LOADED


def test_a_known_program_is_not_traced(folder, monkeypatch):
    """The second network is another object of the same pieces; pixels are the same bits."""
    lowered = []
    entry = compilation.load_or_compile_entry
    monkeypatch.setattr(compilation, "load_or_compile_entry", lambda *args: lowered.append(args[0]) or entry(*args))
    draw = {"size": 24, "steps": 3, "progress": False}
    first = fv.render(fv.load("patterns"), fv.channel("conv1", 0), **draw)
    count = len(lowered)
    assert count >= 3
    second = fv.render(fv.load("patterns"), fv.channel("conv1", 0), **draw)
    other = fv.render(fv.load("patterns"), fv.channel("conv1", 1), **draw)
    assert len(lowered) == count
    np.testing.assert_array_equal(first.pixels, second.pixels)
    assert first.score == second.score and not np.array_equal(first.pixels, other.pixels)
    # Whatever a program is made for has a program of its own.
    for changed in ({"size": 26}, {"dtype": "bfloat16"}, {"transparency": True}):
        before = len(lowered)
        fv.render(fv.load("patterns"), fv.channel("conv1", 0), **(draw | changed))
        assert len(lowered) > before
    before = len(lowered)
    fv.render(fv.load("patterns"), fv.channel("conv2", 0), **draw)
    fv.render(fv.load("patterns"), fv.function(lambda h: h.mean((1, 2, 3)), "conv1", name="mine"), **draw)
    fv.render(fv.load("patterns"), fv.function(lambda h: h.max((1, 2, 3)), "conv1", name="mine"), **draw)
    assert len(lowered) >= before + 6


def test_a_mesh_of_the_users_around_the_call_is_no_shortcut(folder, monkeypatch):
    monkeypatch.setattr(shortcuts.jax.sharding, "get_abstract_mesh", lambda: SimpleNamespace(empty=False))
    assert find_shortcut("kind", 1) is None
