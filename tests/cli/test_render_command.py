"""`featviz render`: the files that it writes, how it refuses wrong commands, and how Ctrl-C ends it."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from support.commands import refused
from support.processes import PATIENCE, wait_for

from featviz.cli.main import run
from featviz.pictures.picture import load_picture
from featviz.pictures.sheets import contact_sheet
from featviz.rendering import draw

FAST = ["--size", "32", "--steps", "3", "--quiet"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("FEATVIZ_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("FEATVIZ_KEEP_PROGRAMS", "1")


def test_a_folder_gets_pictures_records_and_a_sheet(tmp_path):
    run(["render", "patterns", "conv1:0-2", "-o", str(tmp_path / "out"), "--curves", *FAST])
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    stems = [f"conv1-{unit}.{suffix}" for unit in range(3) for suffix in ("json", "png")]
    assert names == sorted([*stems, "sheet.png", "curves.png"])


def test_pictures_of_classes_are_called_by_their_names(tmp_path, capsys):
    words = ["render", "patterns", "logit:clockwise spiral", "logit:-1", "-o", str(tmp_path), *FAST[:-1]]
    run(words)
    first = load_picture(tmp_path / "logit-23-clockwise-spiral.png")
    second = next(tmp_path.glob("logit-1-*-negative.png"))
    assert first.name == "logit:23" and first.provenance["class"] == "clockwise spiral"
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"{tmp_path / 'logit-23-clockwise-spiral.png'}  clockwise spiral  score ")
    assert said[1].startswith(str(second)) and load_picture(second).name == "-logit:1"
    # Names may hold anything: none leaves the folder, none is lost.
    names = tmp_path / "names.txt"
    names.write_text("\n".join(["../../a b:c", "\u91d1\u9b5a", "x" * 300, *map(str, range(55))]), "utf-8")
    run(["render", "patterns", "logit:0-2", "--classes", str(names), "-o", str(tmp_path / "odd"), *FAST])
    found = sorted(path.name for path in (tmp_path / "odd").glob("*.png"))
    assert found == ["logit-0-a-b-c.png", "logit-1.png", f"logit-2-{'x' * 40}.png", "sheet.png"]
    assert load_picture(tmp_path / "odd" / "logit-1.png").provenance["class"] == "\u91d1\u9b5a"


def test_a_folder_that_grows_has_one_sheet_of_all(tmp_path, capsys):
    def sheet(*stems):
        return np.asarray(contact_sheet([load_picture(tmp_path / f"{stem}.png") for stem in stems]))

    def shown(name="sheet.png"):
        return np.asarray(Image.open(tmp_path / name))

    draw = ["render", "patterns", "-o", str(tmp_path), *FAST]
    run([*draw, "conv1:2"])
    assert not (tmp_path / "sheet.png").exists()
    (tmp_path / "notes.png").write_bytes((tmp_path / "conv1-2.png").read_bytes())  # no record beside it
    run([*draw, "conv1:10,3", "--curves"])
    assert np.array_equal(shown(), sheet("conv1-2", "conv1-3", "conv1-10"))
    before, lines = shown(), (tmp_path / "curves.png").read_bytes()
    run([*draw, "conv1:3"])
    assert capsys.readouterr().err == "" and np.array_equal(shown(), before)
    run([*draw, "conv1:3", "--seed", "7"])
    assert capsys.readouterr().err == "replaced 1 picture made with other settings: seed 0 (now 7)\n"
    assert np.array_equal(shown(), sheet("conv1-2", "conv1-3", "conv1-10")) and not np.array_equal(shown(), before)
    assert (tmp_path / "curves.png").read_bytes() != lines


def test_the_command_in_a_record_makes_the_picture_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(["render", "patterns", "mixed3a:5", "logit:3", "mixed3a:1@0x2", "conv2:whole", "-o", "first", *FAST])
    for path in sorted((tmp_path / "first").glob("*-*.json")):
        command = json.loads(path.read_text())["command"].split()
        assert command[0] == "featviz"
        run([*command[1:], "--quiet"])
        again = path.with_suffix(".png")
        assert np.array_equal(load_picture(command[-1]).pixels, load_picture(again).pixels)
        assert json.loads(path.read_text())["history"] == json.loads((tmp_path / path.name).read_text())["history"]


def test_an_array_file_holds_the_floats_themselves(tmp_path):
    run(["render", "patterns", "conv1:4", "-o", str(tmp_path / "four.npy"), *FAST])
    assert np.load(tmp_path / "four.npy").dtype == np.float32


def test_bands_of_a_start_stay_as_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bands.py").write_text(
        "import featviz as fv, numpy as np\n"
        "def network(weights, images):\n    return {'h': images @ weights}\n"
        "def model():\n"
        "    weights = np.eye(5, 3, dtype=np.float32)\n"
        "    return fv.from_function(network, weights, input=fv.InputSpec(size=16, channels=5))\n"
    )
    scene = np.random.default_rng(0).random((16, 16, 5)).astype(np.float32)
    np.save(tmp_path / "scene.npy", scene)
    run(
        ["render", "bands:model", "h:1", "--start", "scene.npy", "--keep-channels", "0,3-4", "-o", "out.npy", *FAST[2:]]
    )
    drawn = np.load(tmp_path / "out.npy")
    np.testing.assert_array_equal(drawn[..., [0, 3, 4]], scene[..., [0, 3, 4]])
    assert (drawn[..., 1] != scene[..., 1]).any()
    run(["render", "bands:model", "h:1", "--start", "scene.npy", "--size", "12", "-o", "small.npy", *FAST[2:]])
    assert np.load(tmp_path / "small.npy").shape == (12, 12, 5)


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["render", "patterns", "conv1:0", "-o", "x", "--keep-channels", "1"], 2, "goes with --start"),
        (["render", "patterns", "conv1:0", "-o", "x", "--start", "x", "--keep-channels", "0-2"], 2, "some of the 3 ch"),
        (["render", "pattern", "conv1:0", "-o", "x"], 2, "did you mean `patterns`?"),
        (["render", "patterns", "conv9:0", "-o", "x"], 2, "did you mean `conv"),
        (["render", "patterns", "conv1:20", "-o", "x"], 2, "conv1 has 20 units, 0 to 19"),
        (["render", "patterns", "conv1", "-o", "x"], 2, "expected LAYER:UNITS"),
        (["render", "patterns", "conv1:a", "-o", "x"], 2, "`a` names no unit of conv1"),
        (["render", "patterns", "conv1:5-2", "-o", "x"], 2, "expected `2-5`"),
        (["render", "patterns", "conv1:1,1", "-o", "x"], 2, "twice"),
        (["render", "patterns", "conv1:1@99x0", "-o", "x"], 2, "is outside conv1"),
        (["render", "patterns", "conv1:0", "-o", "x", "--size", "4"], 2, "`size` is 4"),
        (["render", "patterns", "conv1:0", "-o", "x", "--size", "big"], 2, "--size is `big`"),
        (["render", "patterns", "conv1:0", "-o", "x", "--steps", "0"], 2, "`steps` is 0"),
        (["render", "patterns", "conv1:0", "-o", "x", "--seed", "-1"], 2, "`seed` is -1"),
        (["render", "patterns", "conv1:0", "-o", "x", "--recipe", "lucit"], 2, "did you mean `lucid`?"),
        (["render", "patterns", "conv1:0-3", "-o", "x.png"], 2, "expected a folder"),
        (["render", "patterns", "conv1:0", "-o", "x.jpeg"], 2, "x.jpeg"),
        (["render", "patterns", "conv1:0"], 2, "--out"),
        (["render", "googlenet", "conv1:0", "-o", "x"], 2, "--weights FILE"),
        (["render", "googlenet", "conv1:0", "-o", "x", "--weights", "none.safetensors"], 2, "none.safetensors"),
        (["render", "no.such:thing", "conv1:0", "-o", "x"], 2, "cannot be imported"),
        (["render", "patterns", "conv1:0", "-o", "x", "--start", "no.jpg"], 2, ": --start: `no.jpg` does not exist; "),
        (["evidence", "nofolder", "--survey", "s"], 2, "featviz: there is no file `nofolder`; expected a picture"),
        (["layers", "nothing"], 2, "there is no network `nothing`"),
    ],
)
def test_a_wrong_command_is_told_in_one_line(words, status, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, text = refused(capsys, *words)
    assert code == status and says in text
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named_before_the_work(capsys, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(draw, "render_groups", lambda request: pytest.fail("the work began"))
    code, text = refused(capsys, "render", "patterns", "conv1:0", "-o", str(tmp_path / "file" / "x"), *FAST)
    assert code == 2 and "cannot be made" in text


def test_models_and_layers_are_listed(capsys):
    run(["models"])
    run(["layers", "googlenet"])
    text = capsys.readouterr()
    assert "patterns" in text.out and "built in" in text.out
    assert "inception_4c" in text.out and "57 ReLUs found" in text.err


def test_a_file_is_no_folder_for_several_pictures(capsys, tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    code, text = refused(capsys, "render", "patterns", "conv1:0,1", "-o", str(tmp_path / "plain"), *FAST)
    assert code == 2 and f"-o is the file `{tmp_path / 'plain'}`; expected a folder for 2 pictures" in text


def test_a_function_of_the_users_own_returns_the_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_network.py").write_text("import featviz as fv\n\n\ndef make():\n    return fv.load('patterns')\n")
    run(["render", "my_network:make", "conv1:0", "-o", "own.png", *FAST])
    assert (tmp_path / "own.png").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_an_interrupt_keeps_what_is_finished(tmp_path):
    words = ["render", "patterns", "conv1:0-19", "-o", "out", "--size", "64", "--steps", "400", "--quiet"]
    code = f"from featviz.cli.main import run; run({words!r})"
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=os.environ
    )
    wait_for(lambda: list(tmp_path.glob("out/*.png")) or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    _, text = process.communicate(timeout=PATIENCE)
    made = list(tmp_path.glob("out/conv1-*.png"))
    assert process.returncode == 130 and text.count("\n") == 1 and "stopped; " in text
    assert 0 < len(made) < 20 and all(load_picture(path).history.size == 400 for path in made)
