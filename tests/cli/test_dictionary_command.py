"""`featviz dictionary fit`: what it writes and says, and how it refuses."""

import numpy as np
import pytest
from PIL import Image
from support.commands import refused

from featviz.cli.commands.dictionary import KINDS
from featviz.cli.main import run
from featviz.dictionaries.dictionary_files import read_dictionary
from featviz.dictionaries.fitting.classic_fits import CLASSIC
from featviz.dictionaries.fitting.trained_kinds import TRAINED


@pytest.fixture
def folder(tmp_path):
    """20 photos."""
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for number in range(20):
        image = Image.fromarray(rng.integers(0, 256, (64, 80, 3), np.uint8))
        image.save(tmp_path / "photos" / f"{number:02d}.png", compress_level=1)
    return tmp_path / "photos"


def words(folder, out, *more):
    return ["dictionary", "fit", "patterns", str(folder), "--layer", "conv1", "-o", str(out), *more]


def test_a_dictionary_is_written_and_its_fit_is_said(folder, tmp_path, capsys):
    out = tmp_path / "pca.safetensors"
    run(words(folder, out, "--kind", "pca", "--latents", "4"))
    said = capsys.readouterr().out
    assert said.startswith(f"{out}  principal components, 20 units, 4 latents; activations in {out}.activations\n")
    assert "photos: 20, one of 10 held out" in said and "explained variance" in said and "L0 4.0 of 4" in said
    made = read_dictionary(out)
    assert made.latents == 4 and made.record.layer == "conv1"


def test_the_command_knows_every_kind():
    assert (*TRAINED, *CLASSIC) == KINDS


@pytest.mark.parametrize(
    ("code", "says", "more"),
    [
        (2, "`latents` is 21", ["--kind", "pca", "--latents", "21"]),
        (2, "`k` is 0", ["-k", "0"]),
        (1, "photos with as many positions each", ["--positions", "1"]),
    ],
)
def test_what_does_not_fit_is_refused(folder, tmp_path, capsys, code, says, more):
    status, line = refused(capsys, *words(folder, tmp_path / "d.safetensors", *more))
    assert status == code and says in line


def test_a_name_that_is_none_of_a_dictionary_is_refused(folder, tmp_path, capsys):
    status, line = refused(capsys, *words(folder, tmp_path / "d.png"))
    assert status == 2 and ".safetensors" in line
