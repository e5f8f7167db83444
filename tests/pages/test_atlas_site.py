"""The atlas's site as files: addresses, escaping, records, sameness, colors. In a browser: test_atlas_browser.py."""

import json
import math
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from PIL import Image
from support import sites
from support.sites import HOSTILE

from featviz.ascent.outcome import Outcome
from featviz.atlas.site.site_writer import write_layer, write_unit
from featviz.circuits.strongest_links import UnitLink
from featviz.errors import FeatvizError
from featviz.pages import addresses, text
from featviz.pages.assets import STATIC
from featviz.pages.layer_graph import rows
from featviz.pages.markup import join, tag
from featviz.pages.records import PhotoCrop, Role

VOID = {"meta", "link", "img", "input", "br"}


class Parsed(HTMLParser):
    """A page's elements and words; a tag that is not closed where it should be is an error."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        assert not self.open or self.open[-1] not in ("script", "style") or not data
        self.words.append(data)

    def links(self):
        for _, attributes in self.elements:
            yield from (value for name in ("href", "src") if (value := attributes.get(name)))


def parse(path):
    return Parsed(path.read_text("utf-8"))


def target(page, href):
    """The file that a browser would open from the disk, the percent signs of its name decoded once."""
    return (
        Path(unquote(urlsplit(href).path)) if href.startswith("file:") else page.parent / unquote(urlsplit(href).path)
    )


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A site in which every name means harm."""
    folder = tmp_path_factory.mktemp("hostile")
    layers = [sites.layer(name, 3) for name in HOSTILE]
    layers[1] = replace(layers[1], parents=(HOSTILE[0], "unknown"))
    network = sites.network(layers, name=HOSTILE[0], facts={HOSTILE[1]: HOSTILE[2]}, command=HOSTILE[0], surveyed=True)
    units = []
    for at, name in enumerate(HOSTILE):
        full = sites.full_unit(name, folder / "photos", text=HOSTILE[at - 1])
        again = (replace(full.pictures[0], command=HOSTILE[0]), *full.pictures[1:])
        full = replace(full, pictures=again, faults=(HOSTILE[1],), provenance={HOSTILE[0]: HOSTILE[1]})
        units += [sites.unit(name, 0, label=HOSTILE[0]), full, sites.unit(name, 2)]
    return sites.write_site(folder / "site", network, units)


def test_layers_have_addresses_of_their_own():
    names = [*HOSTILE, "A" * 300 + "a", "A" * 300 + "b", "%2E.", "é" * 100]
    for address in (addresses.layer_page, addresses.wall_folder, lambda name: addresses.unit_page(name, 3)):
        found = [address(name) for name in names]
        assert len(set(found)) == len(names)
        for path in found:
            parts = path.split("/")
            assert not {"", ".", ".."} & set(parts)
            assert all(re.fullmatch(r"[\w.~%=-]+", part, re.ASCII) and len(part) <= 240 for part in parts)


def test_addresses_are_those_of_the_survey_where_they_can_be():
    assert addresses.unit_page("mixed4a/3x3", 7) == "units/mixed4a%2F3x3/7/index.html"
    assert addresses.link("units/a%2Fb/7/index.html", "layers/c.html") == "../units/a%252Fb/7/index.html"


def test_nothing_passes_unescaped():
    assert join("<", tag("b", "&"), None, ["'", 3]) == "&lt;<b>&amp;</b>&#x27;3"
    assert tag("a", href="\"'<>", class_="x", aria_label="y", hidden=False) == (
        '<a href="&quot;&#x27;&lt;&gt;" class="x" aria-label="y"></a>'
    )


def test_hostile_names_stay_words(hostile):
    pages = sorted(hostile.rglob("*.html"))
    assert len(pages) == 1 + len(HOSTILE) * 4
    for path in pages:
        page = parse(path)
        assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
        kinds = Counter(name for name, _ in page.elements)
        assert kinds["html"] == kinds["body"] == kinds["main"] == kinds["h1"] == 1
        for name, attributes in page.elements:
            if name == "script":
                assert re.match(r"(\.\./)*(assets|walls)/", attributes["src"])
    page = parse(hostile / addresses.unit_page(HOSTILE[4], 1))
    assert {HOSTILE[0], HOSTILE[4], HOSTILE[3]} <= set(page.words)


def test_every_link_leads_to_a_file(hostile):
    checked = set()
    for path in hostile.rglob("*.html"):
        for href in parse(path).links():
            assert href.startswith(("file:///", "data:,", "#", "../", "assets/", "layers/", "walls/", "units/")) or (
                re.fullmatch(r"[\w-]+\.(webp|json)", href)
            )
            if not href.startswith(("data:", "#")):
                assert target(path, href).is_file()
                checked.add(target(path, href).resolve())
    assert {path for path in hostile.rglob("*.html") if path.name != "index.html"} <= checked


def test_the_wall_s_data_is_one_call_of_plain_data(hostile):
    for name in HOSTILE:
        data = (hostile / addresses.wall_folder(name) / "units.js").read_text("ascii")
        assert "<" not in data
        units = json.loads(data.removeprefix("atlas.hang(").removesuffix(");\n"))
        assert units["units"] == [0, 1, 2]
        assert units["labels"][0] == HOSTILE[0]
        assert units["faults"] == {"1": [0]} and units["kinds"] == [HOSTILE[1]]
        assert units["whole"] is True
        page = hostile / addresses.layer_page(name)
        assert all(target(page, sheet).is_file() for sheet in units["sheets"])


@pytest.mark.parametrize("copied", [False, True])
def test_the_record_of_a_unit(tmp_path, copied):
    network = sites.network([sites.layer("a/b", 3)])
    one = sites.full_unit("a/b", tmp_path / "photos")
    write_unit(tmp_path / "site", network, one, neighbors=(0, 2), copy_photos=copied)
    place = tmp_path / "site" / addresses.unit_folder("a/b", 1)
    record = json.loads((place / "unit.json").read_text())
    check_record(record)
    assert (record["network"], record["layer"], record["unit"], record["label"]) == ("net", "a/b", 1, "tabby")
    assert [one["role"] for one in record["pictures"]] == [
        *("main", "seed", "seed", "facet", "facet", "facet", "negative", "center")
    ]
    for picture in record["pictures"]:
        with Image.open(place / picture["file"]) as image:
            assert image.size == (picture["width"], picture["height"])
    history = np.array(record["pictures"][0]["history"], np.float32)
    np.testing.assert_array_equal(history, one.pictures[0].history)
    examples = record["survey"]["examples"]
    assert all((place / example["file"]).is_file() if copied else example["file"] is None for example in examples)
    assert all((example["href"] is None) == copied for example in examples)
    # A site that has the photographs says nothing of where they came from.
    assert ("file://" in (place / "index.html").read_text()) != copied


def check_record(record):
    """What docs/unit-json.md says of every field."""
    number = (int, float)
    assert list(record) == [
        *("schema", "network", "layer", "unit", "label", "faults", "pictures", "inputs", "outputs", "similar"),
        *("classes", "survey", "provenance"),
    ]
    assert record["schema"] == 2
    assert all(isinstance(record[name], str) for name in ("network", "layer", "label"))
    assert isinstance(record["unit"], int) and all(isinstance(fault, str) for fault in record["faults"])
    for picture in record["pictures"]:
        assert picture["role"] in {role.value for role in Role} and picture["outcome"] in {one.value for one in Outcome}
        assert all(isinstance(picture[name], int) for name in ("index", "width", "height", "channels", "seed"))
        assert all(isinstance(value, number) for value in (picture["score"], *picture["history"]))
        assert re.fullmatch("[0-9a-f]{64}", picture["key"]) and isinstance(picture["command"], str | None)
    for name in ("inputs", "outputs", "similar"):
        for tie in record[name]:
            assert set(tie) == {"layer", "unit", "strength"} and -1 <= tie["strength"] <= 1
    for one in record["classes"]:
        assert set(one) == {"index", "name", "logit", "probability"} and 0 <= one["probability"] <= 1
    if seen := record["survey"]:
        assert list(seen) == [
            *("count", "mean", "std", "active_fraction", "edges", "counts", "picture_activation", "trusted", "verdict"),
            *("figures", "examples"),
        ]
        assert len(seen["edges"]) == len(seen["counts"]) + 1 and sum(seen["counts"]) == seen["count"]
        assert seen["trusted"] in (True, False, None) and 0 <= seen["active_fraction"] <= 1
        for figure in seen["figures"]:
            assert set(figure) == {"name", "value", "comparison", "meaning"}
        for example in seen["examples"]:
            assert set(example) == {"percentile", "activation", "photo", "file", "href", "photo_size", "box"}
            assert 0 <= example["percentile"] <= 100


def test_the_document_names_every_field():
    document = (Path(__file__).parents[2] / "docs" / "unit-json.md").read_text()
    source = (STATIC.parents[1] / "atlas" / "site" / "unit_json.py").read_text()
    for field in re.findall(r'^ +"(\w+)": ', source, re.MULTILINE):
        assert f"`{field}`" in document


def test_numbers_that_are_none_are_strings_in_json(tmp_path):
    broken = sites.shown(score=math.nan, outcome=Outcome.NOT_FINITE, history=np.array([1, np.nan, -np.inf], np.float32))
    one = sites.unit("a", 0, pictures=(broken,), faults=("not finite",))
    write_unit(tmp_path, sites.network([sites.layer("a", 1)]), one, neighbors=(None, None))
    place = tmp_path / "units/a/0"
    record = json.loads((place / "unit.json").read_text(), parse_constant=pytest.fail)
    assert record["pictures"][0]["history"] == [1.0, "NaN", "-Infinity"]
    assert "not finite" in parse(place / "index.html").words


def test_writing_again_changes_nothing(tmp_path):
    network = sites.network([sites.layer("a", 3)])
    units = [sites.unit("a", 0), sites.full_unit("a", tmp_path / "photos"), sites.unit("a", 2)]
    first = files(sites.write_site(tmp_path / "first", network, units))
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "first").rglob("*") if path.is_file()}
    assert files(sites.write_site(tmp_path / "first", network, units)) == first
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())
    assert files(sites.write_site(tmp_path / "second", network, units)) == first


def test_what_an_earlier_writing_left_goes(tmp_path):
    network = sites.network([sites.layer("a", 3)])
    full = sites.full_unit("a", tmp_path / "photos")
    write_unit(tmp_path, network, full, neighbors=(0, 2), copy_photos=True)
    write_unit(tmp_path, network, replace(full, pictures=full.pictures[:1]), neighbors=(0, 2))
    assert {path.name for path in (tmp_path / "units/a/1").iterdir()} == {"index.html", "unit.json", "main.webp"}
    for seed in (1, 2):
        write_layer(tmp_path, network, network.layers[0], [sites.brief(full)], lambda _, seed=seed: sites.pixels(seed))
    assert len(list((tmp_path / "walls/a").glob("*.webp"))) == 1


def test_units_that_are_not_drawn_yet_have_an_empty_frame(tmp_path):
    network = sites.network([sites.layer("a", 3, done=1)])
    write_unit(tmp_path, network, sites.full_unit("a", tmp_path / "photos"), neighbors=(None, None))
    path = tmp_path / "units/a/1/index.html"
    page = parse(path)
    kinds = [attributes.get("class") for _, attributes in page.elements]
    assert kinds.count("frame empty") == 7
    assert not [attributes for _, attributes in page.elements if attributes.get("rel") in ("prev", "next")]
    images = [attributes["src"] for name, attributes in page.elements if name == "img"]
    assert all(target(path, source).is_file() for source in images)
    write_unit(tmp_path, network, sites.unit("a", 0), neighbors=(None, 1))
    write_unit(tmp_path, network, sites.full_unit("a", tmp_path / "photos"), neighbors=(0, None))
    assert "../../../units/a/0/index.html" in set(parse(path).links())


def test_a_photograph_is_only_ever_a_file(tmp_path):
    crop = PhotoCrop(100, 1.0, "p", sites.pixels(0), "javascript:alert(1)", (64, 64), (0, 0, 8, 8))
    gone = replace(crop, href=None, photo_size=None, box=None)
    flat = replace(crop, href="file:///x.jpg", box=(8, 8, 8, 8))
    seen = sites.photographs(tmp_path / "photos", examples=(crop, gone, flat))
    one = sites.unit("a", 0, survey=seen)
    write_unit(tmp_path, sites.network([sites.layer("a", 1)]), one, neighbors=(None, None))
    page = (tmp_path / "units/a/0/index.html").read_text()
    assert "javascript" not in page and "x.jpg" not in page and page.count("frame empty") == 3


def test_without_a_survey_the_page_says_how_to_add_one(tmp_path):
    one = sites.unit("a", 0)
    for surveyed, said in (
        (False, "featviz atlas net -o atlas --survey FOLDER"),
        (True, "not among those of the survey"),
    ):
        network = sites.network([sites.layer("a", 1)], surveyed=surveyed)
        write_unit(tmp_path, network, one, neighbors=(None, None))
        assert said in " ".join(parse(tmp_path / "units/a/0/index.html").words)


def test_every_picture_has_words_and_keeps_its_place(hostile):
    for path in hostile.rglob("*.html"):
        for name, attributes in parse(path).elements:
            if name == "img":
                assert attributes["alt"] and int(attributes["width"]) > 0 and int(attributes["height"]) > 0
            if name == "svg":
                assert attributes.get("aria-label") or path == hostile / "index.html"


def test_a_gray_picture_and_a_long_one(tmp_path):
    wide = sites.pixels(1, side=48, channels=1)[:24]
    one = sites.unit("a", 0, pictures=(sites.shown(pixels=wide),))
    network = sites.network([sites.layer("a", 1)])
    write_unit(tmp_path, network, one, neighbors=(None, None))
    write_layer(tmp_path, network, network.layers[0], [sites.brief(one)], lambda _: wide)
    data = (tmp_path / "walls/a/units.js").read_text()
    assert json.loads(data[len("atlas.hang(") : -3])["cell"] == [48, 24]


def test_a_wall_without_some_pictures(tmp_path):
    network = sites.network([sites.layer("a", 40, done=20)])
    briefs = [sites.brief(sites.unit("a", number)) for number in range(20)]
    write_layer(tmp_path, network, network.layers[0], briefs, lambda unit: None if unit < 17 else sites.pixels(unit))
    data = json.loads((tmp_path / "walls/a/units.js").read_text()[len("atlas.hang(") : -3])
    assert data["missing"] == list(range(17)) and data["cell"] == [24, 24] and data["whole"] is False
    assert "20 of 40 units" in parse(tmp_path / "layers/a.html").words


def test_a_folder_that_takes_no_file(tmp_path):
    (tmp_path / "units").write_text("in the way")
    with pytest.raises(FeatvizError, match="cannot write"):
        write_unit(tmp_path, sites.network([sites.layer("a", 1)]), sites.unit("a", 0), neighbors=(None, None))


def test_lanes_of_the_map_never_cross_a_layer_that_is_not_theirs():
    parents = {"a": [], "b": ["a"], "c": ["b"], "d": ["b"], "e": ["c", "d", "a"], "f": ["e", "e"], "g": []}
    found = dict(zip(parents, rows(parents), strict=True))
    assert found["e"].goes_on and not found["f"].goes_on and found["g"].parents == ()
    assert all(row.lane not in row.passing for row in found.values())
    for name, row in found.items():
        assert list(row.parents) == sorted({found[above].lane for above in parents[name]})


def test_the_numbers_on_a_page():
    assert (text.number(-0.5), text.signed(-1)) == ("\N{MINUS SIGN}0.5", "\N{MINUS SIGN}1.00")
    assert text.signed(math.nan) == text.number(math.inf) == "not finite"


def luminance(color):
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


@pytest.mark.parametrize("dark", [False, True])
def test_words_stand_out_from_the_paper(dark):
    style = (STATIC / "base.css").read_text()
    light_part, _, dark_part = style.partition("@media (prefers-color-scheme: dark)")
    colors = dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", dark_part if dark else light_part))
    pairs = [(name, "paper") for name in ("ink", "quiet", "accent", "alarm", "good")] + [("ink", "frame")]
    for one, other in pairs:
        above, below = sorted((luminance(colors[one]), luminance(colors[other])), reverse=True)
        assert (above + 0.05) / (below + 0.05) >= 4.5, (one, other)
    # No other file has colors of its own.
    for path in STATIC.glob("*.css"):
        assert path.name == "base.css" or not re.search(r"#[0-9a-f]{3,8}\b|rgb|hsl", path.read_text())


def test_links_to_units_of_another_layer_say_so(tmp_path):
    one = sites.unit("a", 0, inputs=(UnitLink("b/c", 4, -0.25),))
    write_unit(tmp_path, sites.network([sites.layer("a", 1)]), one, neighbors=(None, None))
    assert {"b/c", "4", "\N{MINUS SIGN}0.25"} <= set(parse(tmp_path / "units/a/0/index.html").words)
