"""A unit's record as data, as docs/unit-json.md describes it."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import sites
from support.parsed_pages import parse_page

from featviz.ascent.outcome import Outcome
from featviz.atlas.site import unit_json
from featviz.atlas.site.site_writer import write_unit
from featviz.atlas.site.unit_json import read_published_unit
from featviz.pages import addresses
from featviz.pages.records import Role


@pytest.mark.parametrize("copied", [False, True])
def test_the_record_of_a_unit(tmp_path, copied):
    network = sites.network([sites.layer("a/b", 3)])
    unit = sites.full_unit("a/b", tmp_path / "photos")
    write_unit(tmp_path / "site", network, unit, neighbors=(0, 2), copy_photos=copied)
    folder = tmp_path / "site" / addresses.unit_folder("a/b", 1)
    record = json.loads((folder / "unit.json").read_text())
    check_record(record)
    assert (record["network"], record["layer"], record["unit"], record["label"]) == ("net", "a/b", 1, "tabby")
    assert [picture["role"] for picture in record["pictures"]] == [
        *("main", "seed", "seed", "facet", "facet", "facet", "negative", "center")
    ]
    for picture in record["pictures"]:
        with Image.open(folder / picture["file"]) as image:
            assert image.size == (picture["width"], picture["height"])
    history = np.array(record["pictures"][0]["history"], np.float32)
    np.testing.assert_array_equal(history, unit.pictures[0].history)
    examples = record["survey"]["examples"]
    assert all((folder / example["file"]).is_file() if copied else example["file"] is None for example in examples)
    assert all((example["href"] is None) == copied for example in examples)
    # A site with copies of the photographs does not reveal the folder they came from.
    assert ("file://" in (folder / "index.html").read_text()) != copied


def check_record(record):
    """What docs/unit-json.md says of every field."""
    number = (int, float)
    assert list(record) == [
        *("schema", "network", "layer", "unit", "label", "faults", "pictures", "inputs", "outputs", "similar"),
        *("one_step_inputs", "one_step_outputs", "classes", "survey", "provenance"),
    ]
    assert record["schema"] == 2
    assert all(isinstance(record[name], str) for name in ("network", "layer", "label"))
    assert isinstance(record["unit"], int) and all(isinstance(fault, str) for fault in record["faults"])
    for picture in record["pictures"]:
        assert picture["role"] in {role.value for role in Role} and picture["outcome"] in {one.value for one in Outcome}
        assert all(isinstance(picture[name], int) for name in ("index", "width", "height", "channels", "seed"))
        assert all(isinstance(value, number) for value in (picture["score"], *picture["history"]))
        assert re.fullmatch("[0-9a-f]{64}", picture["key"]) and isinstance(picture["command"], str | None)
    for name in ("inputs", "outputs", "similar", "one_step_inputs", "one_step_outputs"):
        for link in record[name]:
            assert set(link) == {"layer", "unit", "strength", "map"} and -1 <= link["strength"] <= 1
    for score in record["classes"]:
        assert set(score) == {"index", "name", "logit", "probability"} and 0 <= score["probability"] <= 1
    if survey := record["survey"]:
        assert list(survey) == [
            *("count", "mean", "std", "active_fraction", "edges", "counts", "picture_activation"),
            *("trusted", "verdict", "figures", "examples", "profile"),
        ]
        assert len(survey["edges"]) == len(survey["counts"]) + 1 and sum(survey["counts"]) == survey["count"]
        assert survey["trusted"] in (True, False, None) and 0 <= survey["active_fraction"] <= 1
        for figure in survey["figures"]:
            assert set(figure) == {"name", "value", "comparison", "meaning"}
        for example in survey["examples"]:
            assert set(example) == {"percentile", "activation", "photo", "file", "href", "photo_size", "box"}
            assert 0 <= example["percentile"] <= 100


def test_the_document_names_every_field():
    document = (Path(__file__).parents[3] / "docs" / "unit-json.md").read_text()
    fields = re.findall(r'^ +"(\w+)": ', Path(unit_json.__file__).read_text(), re.MULTILINE)
    assert len(fields) > 40
    for field in fields:
        assert f"`{field}`" in document


def test_numbers_that_are_not_finite_are_strings_in_json(tmp_path):
    history = np.array([1, np.nan, -np.inf], np.float32)
    broken = sites.picture(score=math.nan, outcome=Outcome.NOT_FINITE, history=history)
    unit = sites.unit("a", 0, pictures=(broken,), faults=("not finite",))
    write_unit(tmp_path, sites.network([sites.layer("a", 1)]), unit, neighbors=(None, None))
    folder = tmp_path / "units/a/0"
    record = json.loads((folder / "unit.json").read_text(), parse_constant=pytest.fail)
    assert record["pictures"][0]["history"] == [1.0, "NaN", "-Infinity"]
    assert "not finite" in parse_page(folder / "index.html").texts


def test_a_published_unit_is_read_back_unless_something_is_missing_or_damaged(tmp_path):
    unit = sites.unit("a", 0, label="cat", faults=("gray",))
    write_unit(tmp_path, sites.network([sites.layer("a", 1)]), unit, neighbors=(None, None))
    published = read_published_unit(tmp_path, "a", 0)
    assert published.summary == sites.summary(unit) and published.keys == {unit.pictures[0].key}
    assert read_published_unit(tmp_path, "a", 1) is None
    (tmp_path / "units/a/0/unit.json").write_text('{"pictures": []}')
    assert read_published_unit(tmp_path, "a", 0) is None
    write_unit(tmp_path, sites.network([sites.layer("a", 1)]), unit, neighbors=(None, None))
    (tmp_path / "units/a/0/main.webp").unlink()
    assert read_published_unit(tmp_path, "a", 0) is None
