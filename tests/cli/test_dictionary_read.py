"""`featviz dictionary read` and `--dictionary`."""

import json

import numpy as np
import pytest
from PIL import Image
from support.commands import refused
from support.dictionaries import draw_autoencoder

from featviz.cli.main import run
from featviz.dictionaries import Dictionary, DictionaryRecord, save_dictionary
from featviz.dictionaries.kinds import TopKSae


@pytest.fixture
def file(tmp_path):
    arrays = draw_autoencoder(np.random.default_rng(0), units=20, latents=30)
    record = DictionaryRecord(model="patterns", layer="conv1", notes=(("photos", "12"),))
    return save_dictionary(tmp_path / "sae.safetensors", Dictionary(TopKSae(**arrays, k=4), record=record))


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (64, 64, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def test_a_file_is_described(file, capsys):
    run(["dictionary", "read", str(file)])
    assert capsys.readouterr().out.splitlines() == [
        "format: featviz",
        "kind: TopK sparse autoencoder, k 4",
        "size: 20 units, 30 latents",
        "normalization: none",
        "network: patterns",
        "layer: conv1",
        "photos: 12",
    ]


def test_a_dictionary_that_does_not_fit_is_said_with_exit_status_1(file, photos, capsys):
    status, said = refused(capsys, "dictionary", "read", file, "patterns", photos)
    assert status == 1 and "is below 0, worse than the mean activation: conv1 is not the layer" in said


def test_what_a_file_does_not_say_is_written_to_one_that_does(tmp_path, capsys):
    arrays = draw_autoencoder(np.random.default_rng(0), units=20, latents=30)
    plain = tmp_path / "plain.npz"
    np.savez(plain, W_enc=arrays["encoder"], W_dec=arrays["decoder"], b_enc=arrays["encoder_bias"])
    made = tmp_path / "made.safetensors"
    run(
        [
            "dictionary",
            "read",
            str(plain),
            "--kind",
            "topk",
            "-k",
            "5",
            "--normalization",
            "layer_norm",
            "-o",
            str(made),
        ]
    )
    run(["dictionary", "read", str(made)])
    said = capsys.readouterr().out
    assert "kind: TopK sparse autoencoder, k 5" in said and "normalization: layer norm" in said


def test_latents_are_rendered_and_their_record_says_what_survives(file, tmp_path, capsys):
    out = tmp_path / "latent.png"
    run(
        [
            "render",
            "patterns",
            "conv1/latents:7",
            "--dictionary",
            str(file),
            "--size",
            "24",
            "--steps",
            "2",
            "-o",
            str(out),
        ]
    )
    record = json.loads(out.with_suffix(".json").read_text())
    assert set(record["latents"]["conv1/latents:7"]) == {"survives", "value"}
    assert "--dictionary conv1=sae.safetensors" in record["command"]
    assert " of positions" in capsys.readouterr().out


def test_mistakes_are_said_in_one_line(file, tmp_path, capsys):
    words = ["render", "patterns", "conv1/latents:7", "-o", str(tmp_path / "a.png"), "--dictionary"]
    for each, said in (
        ([*words, f"conv2={file}"], "--dictionary: `dictionary` takes 20 units; conv2 of patterns has 32"),
        ([*words, "conv1=none.pt"], "--dictionary: `none.pt` does not exist"),
        ([*words, "=a"], "--dictionary is `=a`; expected [LAYER=]FILE"),
        (["dictionary", "read", file, "--layer", "conv1"], "--layer goes with MODEL"),
        (["dictionary", "read", file, "-k", "0"], "`k` is 0; expected 1 or more"),
        (["dictionary", "read", file, "--threshold", "nan"], "`threshold` is nan; expected a finite number"),
    ):
        status, text = refused(capsys, *each)
        assert status == 2 and said in text


def test_latents_are_listed_beside_the_networks_own_layers(file, capsys):
    run(["layers", "patterns", "--dictionary", str(file)])
    said = capsys.readouterr()
    assert any(line.split()[:2] == ["conv1/latents", "30"] for line in said.out.splitlines())
    assert "it was fitted on" not in said.err
