"""`featviz explain`: pages, ranks of a class, and refusals of one line."""

import numpy as np
import pytest
from PIL import Image
from support.commands import refused

from featviz.cli.main import run

QUICK = ("--layers", "mixed4a", "--method", "gradient", "--groups", "0", "--no-pictures")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).save(folder / f"{name}.png")
    return folder


def words(photos, out, *more):
    return ["explain", "patterns", str(photos), "-o", str(out), *QUICK, *map(str, more)]


def test_pages_are_written_and_their_address_is_printed(photos, tmp_path, capsys):
    run(words(photos, tmp_path, "--for", "logit:3", "--against", "logit:5", "--top", "2"))
    assert capsys.readouterr().out == f"{(tmp_path / 'index.html').resolve().as_uri()}\n"
    page = (tmp_path / "a.png.html").read_text()
    assert "gradient times activation" in page and "rather than" in page
    assert "Pictures are" not in page  # there are none
    assert sorted(path.name for path in tmp_path.glob("*.html")) == ["a.png.html", "b.png.html", "index.html"]


def test_the_page_of_an_edited_network_says_the_edit(photos, tmp_path):
    run(words(photos / "a.png", tmp_path, "--edit", "mixed3a:1,2=zero", "--quiet"))
    assert "patterns, edited (<code>mixed3a:1,2=zero</code>) on a.png" in (tmp_path / "a.png.html").read_text()


def test_a_class_is_ranked_over_photos(photos, tmp_path, capsys):
    run(words(photos, tmp_path, "--of", "7", "--top", "2"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("7: ") and "photos right" in lines[0]
    assert lines[1] == "units that it depends on" and lines[2].startswith("  mixed4a:") and "±" in lines[2]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--for", "logit:99"], "unit 99 is out of range; logit has 58 outputs"),
        (["--for", "conv1:1"], "`layer` is `mixed4a`, which `conv1` is not computed from"),
        (["--for", "logit:3", "--against", "logit:3"], "which is zero; expected two different terms"),
        (["--for", "logit:1,2"], "--for is `logit:1,2`, 2 targets; expected one"),
        (["--against", "logit:3"], "--against goes with --for"),
        (["--of", "3", "--for", "logit:3"], "--of goes without --for and --against"),
        (["--of", "99"], "--of is 99; expected one of the 58 classes of patterns, 0 to 57"),
        (["--method", "pathh"], "--method: there is no `pathh`; did you mean"),
        (["--grid", "mixed4a"], "--grid draws pictures; expected no --no-pictures"),
        (["--top", "0"], "`units` is 0; expected a whole number from 1 to 64"),
        (["--steps", "0"], "`steps` is 0; expected a whole number from 1"),
        (["--atlas", "nowhere"], "`nowhere` does not exist; expected a folder that `featviz atlas` has written"),
        (["nowhere.png"], "PHOTOS: `nowhere.png` does not exist"),
    ],
)
def test_what_cannot_be_explained_is_refused(photos, tmp_path, capsys, more, message):
    status, text = refused(capsys, *words(photos, tmp_path, *more))
    assert status == 2 and message in text


def test_a_file_in_the_place_of_the_pages_is_refused_at_once(photos, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    status, text = refused(capsys, *words(photos, tmp_path / "file"))
    assert status == 2 and "file` is a file; expected a folder for the pages" in text


def test_a_grid_of_a_layer_that_is_not_shown_is_refused(photos, tmp_path, capsys):
    given = [word for word in words(photos, tmp_path, "--grid", "mixed3a") if word != "--no-pictures"]
    status, text = refused(capsys, *given)
    assert status == 2 and "`grid` has `mixed3a`, which is not among the layers shown" in text


def test_a_photo_that_cannot_be_read_is_named(tmp_path, capsys):
    (tmp_path / "broken.png").write_bytes(b"no image")
    status, text = refused(capsys, *words(tmp_path / "broken.png", tmp_path / "out"))
    assert status == 1 and "`broken.png` cannot be read" in text


def test_ctrl_c_says_what_is_kept_and_the_same_command_continues(photos, tmp_path, capsys, monkeypatch):
    def stop(model, objectives, folder, files, **options):
        (folder / files.address(objectives[0])).parent.mkdir(parents=True)
        (folder / files.address(objectives[0])).write_bytes(b"a picture")
        raise KeyboardInterrupt

    def stop_at_once(*given, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("featviz.attribution.explain.write_pictures", stop)
    given = [word for word in words(photos / "a.png", tmp_path) if word != "--no-pictures"]
    status, text = refused(capsys, *given, "--quiet")
    assert (
        status == 130 and f"stopped; {tmp_path} has the pages, with 1 of their pictures, and the same command" in text
    )
    monkeypatch.setattr("featviz.attribution.explain.explain_photo", stop_at_once)
    status, text = refused(capsys, *words(photos / "a.png", tmp_path / "new"))
    assert status == 130 and "stopped; nothing is written" in text
