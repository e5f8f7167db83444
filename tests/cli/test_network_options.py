"""Which network a command works on, where a survey or an atlas says itself of which it is."""

from dataclasses import replace
from pathlib import Path

import pytest

from featviz.cli import model_argument
from featviz.cli.options.network_options import NetworkChoice

RECORDED = {"name": "ResNet", "model": "mine:net", "input": "224,imagenet,nchw"}


@pytest.mark.parametrize(
    ("model", "words", "recorded", "loaded"),
    [
        (None, None, RECORDED, ("mine:net", "224,imagenet,nchw")),
        ("mine:net", None, RECORDED, ("mine:net", "224,imagenet,nchw")),
        # What is said for one network does not hold for another, and the command line has the last word.
        ("mine:other", None, RECORDED, ("mine:other", None)),
        (None, "64,unit", RECORDED, ("mine:net", "64,unit")),
        (None, None, {"model": "googlenet"}, ("googlenet", None)),
        ("googlenet", None, None, ("googlenet", None)),
    ],
)
def test_the_input_that_a_survey_records_is_that_of_its_network(monkeypatch, patterns, model, words, recorded, loaded):
    calls = []

    def load(name, weights, *, input_words, fixed):
        calls.append((name, input_words))
        return patterns

    monkeypatch.setattr(model_argument, "load_network", load)
    choice = NetworkChoice(model=model, weights=None, input_words=words, fixed=(), dictionaries=(), edits=())
    assert choice.load(recorded=recorded) is patterns and calls == [loaded]


EMPTY = NetworkChoice(model=None, weights=None, input_words=None)
SOURCE = {
    "model": "googlenet", "weights": "g.safetensors", "dictionary": "conv1=sae.safetensors", "fixed": "meta=meta.npy",
    "edit": "conv1:3=zero",
}  # fmt: skip


def test_files_of_a_record_are_taken_from_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert EMPTY.with_recorded(SOURCE) == replace(EMPTY, model="googlenet", edits=("conv1:3=zero",))
    for name in ("g.safetensors", "sae.safetensors", "meta.npy"):
        Path(name).write_bytes(b"")
    found = EMPTY.with_recorded(SOURCE)
    assert found.weights == Path("g.safetensors") and found.fixed == (("meta", Path("meta.npy")),)
    assert found.dictionaries == ("conv1=sae.safetensors",)
    given = replace(EMPTY, weights=Path("other.safetensors"), dictionaries=("own.safetensors",))
    kept = given.with_recorded(SOURCE)
    assert kept.weights == Path("other.safetensors") and kept.dictionaries == ("own.safetensors",)
    assert replace(EMPTY, model="alexnet").with_recorded(SOURCE) == replace(EMPTY, model="alexnet")
    assert EMPTY.with_recorded({**SOURCE, "weights": "hf-hub:lab/vit"}).weights == Path("hf-hub:lab/vit")
