"""The programs of a run: traced once from shapes, compiled together, and the same as those of the arrays themselves."""

import threading

import numpy as np
import pytest
from support.processes import PATIENCE

import featviz as fv
from featviz.common import compilation
from featviz.common.compilation import TracedProgram, compile_together


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"start": np.full((24, 24, 3), 0.5, np.float32)},
        {"lanes": 2},
    ],
    ids=str,
)
def test_each_program_is_compiled_once(monkeypatch, options):
    """What is compiled from shapes is found again by the arrays."""
    compiled = []
    entry = compilation.load_or_compile_entry
    monkeypatch.setattr(
        compilation, "load_or_compile_entry", lambda *args: compiled.append(threading.get_ident()) or entry(*args)
    )
    objectives = fv.channel("conv1", [0, 1, 2])
    fv.render(fv.load("patterns"), objectives, size=24, steps=2, progress=False, **options)
    assert len(compiled) == 5
    # None by the thread that traces.
    assert threading.get_ident() not in compiled


def test_programs_are_compiled_while_others_are_traced():
    began, traced = threading.Event(), threading.Event()

    def wait():
        began.set()
        assert traced.wait(PATIENCE)
        return "program"

    def programs():
        yield TracedProgram(wait)
        # The first one is being compiled.
        assert began.wait(PATIENCE)
        yield TracedProgram(lambda: "other")
        traced.set()

    compile_together(programs())


def test_a_program_is_compiled_by_one_thread_once():
    calls = []
    program = TracedProgram(lambda: calls.append(0) or "program")
    assert not program.is_compiled
    compile_together([program, program])
    assert program.is_compiled and program.compiled() == "program" and len(calls) == 1


def test_failures_are_raised_and_tried_again():
    calls = []

    def fail():
        calls.append(0)
        raise MemoryError("too large")

    program = TracedProgram(fail)
    for _ in range(2):
        with pytest.raises(MemoryError):
            compile_together([program])
    assert len(calls) == 2 and not program.is_compiled
