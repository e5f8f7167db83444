"""The site while an atlas is drawn: what a look makes and what it leaves, what a fault does, sites of no drawing."""

import dataclasses
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from test_atlas import OPTIONS, RECIPE

import featviz as fv
from featviz.atlas import photo_records as photographs_module
from featviz.atlas import site_data as gathering_module
from featviz.atlas import site_publisher as showing_module
from featviz.atlas.atlas_store import open_store
from featviz.atlas.build import build_atlas
from featviz.atlas.engines import local
from featviz.atlas.reading import Atlas
from featviz.atlas.site import site_writer as writer_module
from featviz.atlas.site_data import SiteData
from featviz.atlas.site_publisher import EVERY, TIMES, SitePublisher
from featviz.errors import FeatvizError
from featviz.pages.records import Role

SHOWN = {**OPTIONS, "site": True}


def page(site, layer, unit):
    return json.loads((site / "units" / layer / str(unit) / "unit.json").read_text())


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def task(layer, role=Role.MAIN):
    """What a showing is told of a task."""
    return SimpleNamespace(series=SimpleNamespace(layer=layer, role=role))


def site_of(folder, model, **options):
    return SitePublisher(SiteData(fv.open_atlas(folder), model), folder / "site", **options)


@pytest.fixture(scope="module")
def shown(tiny, tmp_path_factory):
    """An atlas with its site, the second layer with full pages."""
    out = tmp_path_factory.mktemp("shown") / "a"
    return build_atlas(tiny, out=out, units={"conv1": range(20), "conv2": range(3)}, full=["conv2"], **SHOWN)


@pytest.fixture
def copied(shown, tmp_path):
    """Its atlas without the site, as a folder."""
    folder = shown.store.folder
    shutil.copytree(folder, tmp_path / "a", ignore=shutil.ignore_patterns("site"))
    return tmp_path / "a"


@pytest.fixture
def written(monkeypatch):
    """The pages that a showing has written: (layer, unit)."""
    found, write = [], showing_module.write_unit

    def noted(folder, network, unit, **options):
        found.append((unit.layer, unit.unit))
        write(folder, network, unit, **options)

    monkeypatch.setattr(showing_module, "write_unit", noted)
    return found


@pytest.fixture
def sheets(monkeypatch):
    """The units of each sheet that has been made."""
    found, make = [], writer_module.make_sheet
    monkeypatch.setattr(
        writer_module,
        "make_sheet",
        lambda units, thumbnails, **options: found.append(units) or make(units, thumbnails, **options),
    )
    return found


@pytest.fixture
def clock(monkeypatch):
    """A showing's time, which passes as a test says."""
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(showing_module, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    return now


def test_a_site_is_made_of_an_atlas_that_is_only_opened(shown, copied, tiny):
    command = None
    assert site_of(copied, tiny, command=command).complete() == copied / "site" / "index.html"
    assert page(copied / "site", "conv2", 1)["provenance"]["lanes"] == 1
    assert files(copied / "site") == files(shown.store.folder / "site")


def test_an_atlas_of_nothing_has_a_site(tiny, tmp_path):
    open_store(tmp_path / "a", create=True, writable=True)
    showing = site_of(tmp_path / "a", tiny)
    showing.layer("conv1")
    assert "tiny" in showing.complete().read_text()


def test_a_layer_that_has_no_series_yet(copied, tiny):
    atlas = Atlas(open_store(copied))
    later = {**atlas.find("conv2"), "layer": "fc", "path": "pictures/fc/main-0", "units": [0, 1]}
    atlas.__dict__["plan"] = [later, *atlas.plan]
    showing = SitePublisher(SiteData(atlas, tiny), copied / "site")
    for layer in ("fc", "conv2"):
        showing.layer(layer)
    assert "0 of 80 units" in (copied / "site" / "index.html").read_text()
    assert (copied / "site" / "layers" / "conv2.html").is_file()
    showing.complete()
    assert "3 of 8 units" in (copied / "site" / "index.html").read_text()


def test_a_look_makes_only_what_is_new(copied, tiny, written, sheets):
    showing = site_of(copied, tiny)
    showing.layer("conv1")
    assert written == [("conv1", unit) for unit in range(20)]
    assert sheets == [tuple(range(16)), (16, 17, 18, 19)]
    showing.drawn(task("conv1"), 3)
    showing.look()
    assert written[20:] == [("conv1", 3)] and len(sheets) == 2
    before = files(copied / "site" / "grids")
    (next((copied / "site" / "grids" / "conv1").glob("*.webp"))).unlink()
    showing.layer("conv1")
    assert len(written) == 21 and len(sheets) == 3 and files(copied / "site" / "grids") == before


def test_after_a_restart_pages_that_stand_are_left(copied, tiny, written):
    site_of(copied, tiny).layer("conv2")
    wall = (copied / "site" / "grids" / "conv2" / "units.js").read_bytes()
    del written[:]
    again = site_of(copied, tiny)
    again.layer("conv2")
    assert written == [] and (copied / "site" / "grids" / "conv2" / "units.js").read_bytes() == wall
    record = copied / "site" / "units" / "conv2" / "1" / "unit.json"
    record.write_text(record.read_text().replace(page(copied / "site", "conv2", 1)["pictures"][2]["key"], "0" * 64))
    (record.parents[1] / "2" / "unit.json").write_text("{")
    site_of(copied, tiny).layer("conv2")
    assert written == [("conv2", 1), ("conv2", 2)]


def test_looks_wait_as_long_as_they_are_dear(copied, tiny, clock, written, monkeypatch):
    showing = site_of(copied, tiny)
    front = SitePublisher._front
    monkeypatch.setattr(
        SitePublisher,
        "_front",
        lambda self, network: (setattr(clock, "seconds", clock.seconds + 9), front(self, network)),
    )
    clock.seconds = EVERY + 1
    showing.drawn(task("conv1"), 3)
    assert written
    count = len(written)
    clock.seconds += 9 * TIMES - 1
    showing.drawn(task("conv1"), 4)
    assert len(written) == count
    clock.seconds += 2
    showing.drawn(task("conv1"), 5)
    assert written[count:] == [("conv1", 4), ("conv1", 5)]


def test_pages_show_their_other_pictures_before_the_end(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(showing_module, "EVERY", 0)
    monkeypatch.setattr(showing_module, "TIMES", 0)
    seen = []

    def watching(model, tasks, *, on_start):
        for drawn in local(model, tasks, on_start=on_start):
            yield drawn
            if drawn.task.series.role is not Role.MAIN:
                roles = [picture["role"] for picture in page(tmp_path / "a" / "site", "conv2", drawn.unit)["pictures"]]
                seen.append((drawn.task.series.role.value, roles))

    options = {**SHOWN, "layers": ["conv2"]}
    build_atlas(tiny, out=tmp_path / "a", units=range(2), full=["conv2"], engine=watching, **options)
    assert len(seen) == 10 and all(role in roles for role, roles in seen)
    assert seen[0][1] == ["main", "seed"] and len(seen[-1][1]) == 9


def test_a_page_that_fails_does_not_stop_the_drawing(tiny, tmp_path, monkeypatch, capsys):
    def broken(*_, **options):
        raise RuntimeError("out of\nmemory " + "x" * 999)

    monkeypatch.setattr(SiteData, "units", broken)
    with pytest.raises(FeatvizError, match="cannot be made: out of memory") as told:
        build_atlas(tiny, out=tmp_path / "a", units=range(3), **SHOWN)
    assert len(str(told.value).splitlines()) == 1 and len(str(told.value)) < 600
    assert fv.open_atlas(tmp_path / "a").count() == (6, 6)
    said = [line for line in capsys.readouterr().err.splitlines() if "no more pages" in line]
    assert len(said) == 1 and "out of memory" in said[0]


def test_ctrl_c_in_a_page_stops_the_run(tiny, tmp_path, monkeypatch):
    def stopped(*_, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(SiteData, "units", stopped)
    with pytest.raises(KeyboardInterrupt):
        build_atlas(tiny, out=tmp_path / "a", units=range(3), **SHOWN)


def test_a_damaged_entry_is_named(copied, tiny):
    path = fv.open_atlas(copied).find("conv1")["path"]
    for chunk in (copied / path / "pixels").glob("c.7.*"):
        chunk.write_bytes(b"spoilt")
    with pytest.raises(FeatvizError, match=r"conv1:7 \(main\) is damaged") as told:
        site_of(copied, tiny).complete()
    assert len(str(told.value).splitlines()) == 1


def test_faults_are_those_of_colors(tiny, tmp_path, monkeypatch):
    seen, faults_of = [], gathering_module.faults_of
    monkeypatch.setattr(
        gathering_module, "faults_of", lambda pixels, *more: seen.append(pixels.shape) or faults_of(pixels, *more)
    )
    clear = dataclasses.replace(RECIPE, transparency=True)
    build_atlas(tiny, out=tmp_path / "a", **SHOWN | {"recipe": clear, "units": [1], "layers": ["conv1"]})
    gathering = SiteData(fv.open_atlas(tmp_path / "a"), tiny)
    assert fv.open_atlas(tmp_path / "a").pixels("conv1").shape[-1] == 4 and gathering.brief("conv1", 1).unit == 1
    assert set(seen) == {(16, 16, 3)}


def test_pages_load_no_picture_for_its_provenance(copied, tiny, monkeypatch):
    atlas = fv.open_atlas(copied)
    expected = atlas.picture("conv1:3").provenance
    monkeypatch.delattr(Atlas, "picture")
    (found,) = SiteData(atlas, tiny).units("conv1", [3])
    assert found.provenance == expected


def test_photographs_come_in_parts(copied, tiny, whole_survey, monkeypatch):
    at_once, describe = [], photographs_module._photographs
    monkeypatch.setattr(
        photographs_module,
        "_photographs",
        lambda survey, layer, of, units, *more, **options: (
            at_once.append(list(units)) or describe(survey, layer, of, units, *more, **options)
        ),
    )
    atlas = fv.open_atlas(copied)
    pictures = {unit: atlas.picture(f"conv1:{unit}") for unit in range(20)}
    whole = photographs_module.photographs_of(whole_survey, "conv1", pictures)
    loaded = []
    parts = photographs_module.photographs_in_parts(
        whole_survey, "conv1", range(20), lambda unit: loaded.append(unit) or pictures[unit], at_once=8
    )
    first = next(parts)
    assert loaded == list(first) == list(range(7))
    found = {unit: seen for part in (first, *parts) for unit, seen in part.items()}
    assert [len(units) for units in at_once] == [20, 7, 7, 6] and list(found) == list(whole)
    for unit, seen in found.items():
        assert np.array_equal(seen.counts, whole[unit].counts)
        assert seen.picture_activation == pytest.approx(whole[unit].picture_activation)
        assert [crop.photo for crop in seen.examples] == [crop.photo for crop in whole[unit].examples]
    assert list(photographs_module.photographs_in_parts(whole_survey, "conv1", [], pictures.get)) == []


def test_a_survey_s_marks_are_on_the_wall(copied, tiny, whole_survey):
    gathering = SiteData(fv.open_atlas(copied), tiny, survey=whole_survey)
    assert all(brief.trusted for brief in gathering.briefs("conv2", trusted={0: True, 1: True, 2: True}))
    assert [brief.trusted for brief in gathering.briefs("conv2")] == [None] * 3
    SitePublisher(gathering, copied / "site").complete()
    assert page(copied / "site", "conv1", 19)["survey"]["count"] == len(whole_survey)
