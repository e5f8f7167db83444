"""`featviz activation-atlas`: a map and its address, and refusals of one line."""

import numpy as np
import pytest
from PIL import Image
from support.commands import refused

from featviz.cli.main import run

WRONG = [(option, text) for option in ("--per-photo", "--min-photos", "--steps") for text in ("0", "-1", "9" * 20)]
WRONG += [("--seed", "-1"), ("--size", "0"), ("--size", "9" * 20)]
QUICK = ("--levels", "2", "--layout", "pca", "--size", "32", "--steps", "2", "--per-photo", "8")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for index in range(6):
        Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).save(folder / f"{index}.png")
    return folder


def words(photos, out, *more, layer="mixed3a"):
    return ["activation-atlas", "patterns", layer, str(photos), "-o", str(out), *QUICK, *map(str, more)]


def test_the_map_is_written_and_its_address_is_printed(photos, tmp_path, capsys):
    run(words(photos, tmp_path / "m"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == (tmp_path / "m" / "index.html").resolve().as_uri()
    assert lines[0].startswith("2 x 2  ") and (tmp_path / "m" / "levels" / "2.webp").is_file()
    run(words(photos, tmp_path / "m", "--quiet"))
    assert capsys.readouterr().out == ""


def test_shards_leave_the_page_to_the_last_one(photos, tmp_path, capsys):
    run(words(photos, tmp_path / "m", "--shard", "1/2"))
    assert capsys.readouterr().out.splitlines()[-1].endswith(" left for other shards; the last one writes the page")
    run(words(photos, tmp_path / "m", "--shard", "2/2"))
    assert capsys.readouterr().out.splitlines()[-1] == (tmp_path / "m" / "index.html").resolve().as_uri()
    run(words(photos, tmp_path / "n", "--aligned-with", tmp_path / "m", layer="conv2"))
    assert "mixed3a of patterns" in (tmp_path / "n" / "aligned.js").read_text()


@pytest.mark.parametrize(
    ("more", "message", "status"),
    [
        (["--levels", "ten"], "--levels is `ten`; expected squares along a side", 2),
        (["--levels", "0"], "`levels` is 0", 2),
        (["--layout", "tsne"], "`layout` is `tsne`", 2),
        (["--against", "leaf"], "`against` is given without `of`", 2),
        (["--of", "leef"], "leaf", 2),
        *[([option, text], f"`{option[2:].replace('-', '_')}` is {text}", 2) for option, text in WRONG],
        (["--photos", "nowhere"], "`nowhere` does not exist", 2),
        (["--shard", "3/2"], "--shard is `3/2`", 2),
        (["--ray-workers", "2"], "go with --engine ray", 2),
        (["--aligned-with", "nowhere"], "`nowhere` does not exist; expected a folder", 2),
        (["--min-photos", "7"], "no cell has activations of 7 photos", 1),
    ],
)
def test_what_cannot_be_drawn_is_refused(photos, tmp_path, capsys, more, message, status):
    found, text = refused(capsys, *words(photos, tmp_path / "m", *more))
    assert found == status and message in text


def test_layers_and_folders_that_are_not_there_are_named(photos, tmp_path, capsys):
    status, text = refused(capsys, *words(photos, tmp_path / "m", layer="mixed3"))
    assert status == 2 and "mixed3a" in text
    status, text = refused(capsys, *words(photos, tmp_path / "m", layer="logits"))
    assert status == 2 and "with positions" in text
    status, text = refused(capsys, *words(tmp_path / "nowhere", tmp_path / "m"))
    assert status == 2 and "does not exist" in text
