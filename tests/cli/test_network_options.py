"""Which network a command works on, where a survey or an atlas says itself of which it is."""

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
