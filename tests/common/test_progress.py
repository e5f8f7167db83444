"""Bars are shown where somebody sees them: on terminals and in notebooks, whose streams are no terminals."""

import io
import sys
import types

import pytest

from featviz.common.progress import KERNELS, progress_bar


class Stream(io.StringIO):
    def __init__(self, *, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.fixture
def no_kernel(monkeypatch):
    for name in KERNELS:
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("kernel", [None, *KERNELS])
def test_a_bar_is_shown_on_terminals_and_in_notebooks(no_kernel, monkeypatch, kernel, terminal, shown):
    stream = Stream(terminal=terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    if kernel is not None:
        monkeypatch.setitem(sys.modules, kernel, types.ModuleType(kernel))
    assert list(progress_bar(range(3), shown=shown)) == [0, 1, 2]
    assert bool(stream.getvalue()) == (shown and (terminal or kernel is not None))


@pytest.mark.parametrize("stream", [None, "closed"])
def test_programs_without_standard_error_get_no_bar(monkeypatch, stream):
    closed = Stream(terminal=True)
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed if stream else None)
    with progress_bar(None, total=2, shown=True) as bar:
        bar.update(2)
