"""The command `check`."""

import sys

import pytest
from PIL import Image
from support.drawn import drawn_patterns

import featviz as fv
from featviz.cli.main import run
from featviz.diagnosis.check_input import check_input

NETWORK = """
from dataclasses import replace
import featviz as fv
from featviz.adapters.linen import from_linen
from featviz.zoo.architectures.patterns import Patterns

def wrong():
    model = fv.load("patterns")
    return from_linen(Patterns(), model.weights, input=fv.InputSpec(size=(64, 64), scale=255.0), name="wrong")
"""


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FEATVIZ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FEATVIZ_KEEP_PROGRAMS", "1")
    monkeypatch.chdir(tmp_path)
    run(["check", "patterns"])
    assert "PHOTOS" in capsys.readouterr().out
    (tmp_path / "drawn").mkdir()
    for number, image in enumerate(drawn_patterns(58)):
        Image.fromarray(image).save(tmp_path / "drawn" / f"{number:02d}.png")
    run(["check", "patterns", "drawn"])
    assert "indistinguishable from" in capsys.readouterr().out
    (tmp_path / "own.py").write_text(NETWORK)
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    with pytest.raises(SystemExit) as stop:
        run(["check", "own:wrong", "drawn"])
    text = capsys.readouterr().err
    assert stop.value.code == 1 and text.count("\n") == 1
    assert "probably wrong" in text and "write input=InputSpec(size=(64, 64)" in text
    with pytest.raises(SystemExit) as stop:
        run(["check", "patterns", "nowhere"])
    assert stop.value.code == 2 and "does not exist" in capsys.readouterr().err
    assert fv.check_input is check_input
