"""`featviz evidence`: the table, the figure and its JSON, and refusals."""

import json

import numpy as np
import pytest
from PIL import Image
from support.evidence import LAYER, blobs

from featviz.cli.main import run


def test_evidence_prints_the_table(tmp_path, capsys):
    rng = np.random.default_rng(1)
    (tmp_path / "photos").mkdir()
    for number in range(44):
        Image.fromarray(blobs(rng)).save(tmp_path / "photos" / f"{number:02d}.png")
    survey, out = str(tmp_path / "survey"), str(tmp_path / "out")
    run(["survey", "patterns", str(tmp_path / "photos"), "-o", survey, "-l", LAYER, "--quiet"])
    run(["render", "patterns", f"{LAYER}:0-1", "-o", out, "--steps", "4", "--size", "48", "--quiet"])
    run(["evidence", out, "--survey", survey, "-o", str(tmp_path / "e.png")])
    printed = capsys.readouterr().out
    assert f"{LAYER}:1" in printed and "photographs: 44; compared by patterns" in printed
    assert "--other is not given" in printed and all(
        f"do not trust: {reason}" not in printed for reason in ("excites", "little")
    )
    run(["evidence", out, "--survey", survey, "--other", "patterns"])
    assert "--other is not given" not in capsys.readouterr().out
    assert {row["name"] for row in json.loads((tmp_path / "e.json").read_text())["units"]} == {
        f"{LAYER}:0",
        f"{LAYER}:1",
    }
    with pytest.raises(SystemExit) as stopped:
        run(["evidence", out, "--survey", str(tmp_path / "photos")])
    assert stopped.value.code == 2
    assert "holds no survey" in capsys.readouterr().err
