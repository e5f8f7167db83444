"""`featviz survey`: what it writes and says, how it is stopped and continued, and how it refuses."""

import numpy as np
import pytest
from PIL import Image
from support.commands import refused

import featviz.surveys.run_survey as module
from featviz.cli.main import run
from featviz.surveys.survey import open_survey


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("FEATVIZ_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("FEATVIZ_KEEP_PROGRAMS", "1")


@pytest.fixture
def folder(tmp_path):
    """40 photos, in folders."""
    rng = np.random.default_rng(0)
    for number in range(40):
        path = tmp_path / "photos" / f"{number % 2}" / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (64, 80, 3), np.uint8)).save(path, compress_level=1)
    return tmp_path / "photos"


def words(folder, out, *more):
    return ["survey", "patterns", str(folder), "-o", str(out), "--layers", "conv1,mixed3a", *more]


def test_a_folder_is_surveyed_and_what_cannot_be_read_is_named(folder, tmp_path, capsys, patterns):
    for number in range(7):
        (folder / f"broken{number}.jpg").write_bytes(b"no image")
    run(words(folder, tmp_path / "s"))
    text = capsys.readouterr()
    units = sum(patterns.layer(name).units for name in ("conv1", "mixed3a"))
    assert text.out == f"{tmp_path / 's'}  47 photos, 2 layers, {units} units\n"
    lines = text.err.splitlines()
    assert len(lines) == 7 and all(f"skipped broken{i}.jpg: cannot identify" in lines[i] for i in range(5))
    assert lines[5] == f"skipped 2 more; all are in {tmp_path / 's' / 'faults.json'}"
    assert lines[6].startswith(
        "`featviz evidence` needs 40 photos, and 200 to flag a picture; this survey has 40 photos:"
    )
    made = open_survey(tmp_path / "s", patterns)
    assert made.layers == ("conv1", "mixed3a") and made.readable.sum() == 40 and made.complete
    assert made.size == patterns.input.size


def test_quiet_and_a_size(folder, tmp_path, capsys, patterns):
    run(words(folder, tmp_path / "s", "--quiet", "--size", "32x48", "--windows", "2"))
    assert capsys.readouterr() == ("", "")
    made = open_survey(tmp_path / "s", patterns)
    assert made.size == (32, 48) and made.windows == 2 and len(made) == 160


def test_ctrl_c_keeps_what_is_done_and_the_same_command_continues(folder, tmp_path, capsys, patterns, monkeypatch):
    run(words(folder, tmp_path / "whole", "--quiet"))
    real, calls = module.maxima_of, []

    def interrupted(*args, **options):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(module, "maxima_of", interrupted)
        code, line = refused(capsys, *words(folder, tmp_path / "s", "--quiet"))
    assert code == 130 and f"stopped; 32 photos are in {tmp_path / 's'}; the same command continues" in line
    run(words(folder, tmp_path / "s"))
    assert "40 photos" in capsys.readouterr().out
    made, whole = (open_survey(tmp_path / name, patterns) for name in ("s", "whole"))
    for layer in made.layers:
        assert np.array_equal(made.maxima(layer), whole.maxima(layer))
        assert np.array_equal(made.positions(layer), whole.positions(layer))


@pytest.mark.parametrize(
    ("command", "status", "says"),
    [
        (["patterns", "photos", "-o", "s", "-l", "conv9"], 2, "did you mean `conv"),
        (["patterns", "missing", "-o", "s"], 2, "`missing` does not exist; expected a folder of images"),
        (["patterns", "empty", "-o", "s"], 2, "`empty` holds no image"),
        (["patterns", "photos/0/00.png", "-o", "s"], 2, "is a file; expected a folder of images"),
        (["patterns", "photos", "-o", "s", "--size", "big"], 2, "--size is `big`"),
        (["patterns", "photos", "-o", "s", "--size", "4"], 2, "`size` is 4"),
        (["patterns", "photos", "-o", "s", "--windows", "0"], 2, "`windows` is 0; expected a whole number from 1 to"),
        (["pattern", "photos", "-o", "s"], 2, "did you mean `patterns`?"),
        (["patterns", "photos"], 2, "--out"),
        (["googlenet", "photos", "-o", "s"], 2, "--weights FILE"),
        (["patterns", "photos", "-o", "photos"], 2, "holds other things"),
        (["patterns", "photos", "-o", "photos/0/00.png/s"], 1, "cannot be made"),
    ],
)
def test_a_wrong_command_is_told_in_one_line(folder, tmp_path, capsys, monkeypatch, command, status, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    code, line = refused(capsys, "survey", *command)
    assert code == status and says in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "photos"]


def test_photos_of_which_none_can_be_read_fail(tmp_path, capsys):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"no image")
    code, line = refused(capsys, *words(tmp_path / "photos", tmp_path / "s"))
    assert code == 1 and "none of 1 images can be read; cannot identify" in line


def test_a_survey_of_other_layers_is_not_continued(folder, tmp_path, capsys):
    run(words(folder, tmp_path / "s", "--quiet", "--size", "16"))
    code, line = refused(capsys, *words(folder, tmp_path / "s", "--size", "16", "--layer", "conv2"))
    assert (
        code == 2
        and "is a survey of other layers, conv1, mixed3a in place of conv1, mixed3a, conv2; expected a new folder"
        in line
    )
