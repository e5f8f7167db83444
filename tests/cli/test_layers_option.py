"""Layers by name or pattern, and the judging network, in every command that takes them."""

import click
import pytest
from click.testing import CliRunner

import featviz as fv
from featviz.cli.main import cli
from featviz.cli.options.layers_option import find_layers
from featviz.cli.options.survey_options import ComparisonNetwork
from featviz.errors import FeatvizError


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ((), None),
        (("conv1",), ["conv1"]),
        # In the order in which they are given, each once.
        (("mixed4a, conv1", "conv*"), ["mixed4a", "conv1", "conv2"]),
        (("conv2,", "conv1"), ["conv2", "conv1"]),
    ],
)
def test_names_and_patterns_are_split_at_commas(patterns, texts, found):
    assert find_layers(patterns, texts) == found


@pytest.mark.parametrize("text", ["mixd4a", "conv1,zzz*", ","])
def test_what_fits_no_layer_is_refused(patterns, text):
    with pytest.raises(FeatvizError, match="`layers`: no layer of patterns matches"):
        find_layers(patterns, (text,))


def command_named(name):
    return cli.get_command(click.Context(cli), name)


@pytest.mark.parametrize("command", ["survey", "dream", "atlas", "export"])
def test_the_option_is_the_same_everywhere(command):
    option = next(each for each in command_named(command).params if each.name == "layers")
    assert option.opts == ["--layers", "--layer", "-l"] and option.multiple and option.metavar == "NAME,..."


@pytest.mark.parametrize("command", ["evidence", "atlas", "site"])
def test_another_network_and_its_layer_are_taken_everywhere(command):
    options = {each.name: each for each in command_named(command).params}
    assert {"other", "other_weights", "other_layer"} <= set(options)
    text = " ".join(CliRunner().invoke(cli, [command, "--help"]).output.split())
    assert "safetensors, .pth, .caffemodel or .h5" in text and "a safetensors file" not in text


def test_the_judge_is_the_network_and_the_layer_that_are_named(patterns):
    assert ComparisonNetwork(None, None, None).features() is None
    judge = ComparisonNetwork("patterns", None, "conv2").features()
    assert isinstance(judge, fv.Features) and (judge.model.name, judge.layer) == ("patterns", "conv2")
    assert ComparisonNetwork("patterns", None, None).features().layer in {layer.name for layer in patterns.layers}
    with pytest.raises(click.UsageError, match="patterns has no layer `conv9`; did you mean `conv"):
        ComparisonNetwork("patterns", None, "conv9").features()
    with pytest.raises(click.UsageError, match="--other-layer goes with --other MODEL"):
        ComparisonNetwork(None, None, "conv2").features()
