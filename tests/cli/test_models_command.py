"""The table of the zoo: every network on lines of at most 100 characters, and whether its weights are here."""

import pytest

from featviz.cli.main import run
from featviz.zoo.registry import ENTRIES, find
from featviz.zoo.weights.weight_cache import cache_path


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FEATVIZ_CACHE", str(tmp_path))


def table(capsys):
    run(["models"])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    return lines


def row(lines, name):
    return next(line for line in lines if line.startswith(f"  {name} "))


def test_every_network_is_in_its_family(capsys):
    lines = table(capsys)
    for entry in ENTRIES:
        line = row(lines, entry.name)
        above = [each for each in lines[: lines.index(line)] if not each.startswith(" ")]
        assert above[-1] == entry.family
        assert all(any(alias in each for each in lines) for alias in entry.aliases)
        assert f"{entry.input.size[0]}" in line
    assert [line for line in lines if line == "SqueezeNet"] == ["SqueezeNet"]
    assert row(lines, "alexnet").split() == (
        ["alexnet", "224", "61.1", "M", "56.5", "%", "BSD-3-Clause", "torchvision", "on", "use"]
    )


def test_where_the_weights_are(capsys):
    assert row(table(capsys), "patterns").endswith("built in")
    assert row(table(capsys), "googlenet").endswith("--weights")
    path = cache_path(find("alexnet").sources[0])
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    lines = table(capsys)
    assert row(lines, "alexnet").endswith("cached") and row(lines, "vgg16").endswith("on use")
