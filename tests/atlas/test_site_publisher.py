"""The site during a run: what an update writes, what an error does; and sites made without a run."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from support.atlases import WITH_SITE, page

import featviz as fv
from featviz.atlas import site_publisher as publisher_module
from featviz.atlas.atlas_store import open_store
from featviz.atlas.build import build_atlas
from featviz.atlas.engines import render_locally
from featviz.atlas.reading import Atlas
from featviz.atlas.site import site_writer as writer_module
from featviz.atlas.site_data import SiteData
from featviz.atlas.site_publisher import COST_FACTOR, MIN_INTERVAL, SitePublisher, coarse_contrast
from featviz.errors import FeatvizError
from featviz.pages.records import Role


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def task(layer, role=Role.MAIN):
    """As much of a task as a publisher reads."""
    return SimpleNamespace(series=SimpleNamespace(layer=layer, role=role))


def site_of(folder, model, **options):
    return SitePublisher(SiteData(fv.open_atlas(folder), model), folder / "site", **options)


@pytest.fixture
def written(monkeypatch):
    """The (layer, unit) of each page that has been written."""
    found, write = [], publisher_module.write_unit

    def noted(folder, network, unit, **options):
        found.append((unit.layer, unit.unit))
        write(folder, network, unit, **options)

    monkeypatch.setattr(publisher_module, "write_unit", noted)
    return found


@pytest.fixture
def sheets(monkeypatch):
    """The units of each sprite sheet that has been made."""
    found, make = [], writer_module.make_sheet
    monkeypatch.setattr(
        writer_module,
        "make_sheet",
        lambda units, thumbnails, **options: found.append(units) or make(units, thumbnails, **options),
    )
    return found


@pytest.fixture
def clock(monkeypatch):
    """The publisher's time, which tests set."""
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(publisher_module, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    return now


def test_the_site_grows_with_the_atlas(tiny, tmp_path):
    seen = []

    def watching(model, tasks, *, on_start):
        for entry in render_locally(model, tasks, on_start=on_start):
            yield entry
            walls = sorted(path.stem for path in (tmp_path / "a" / "site" / "layers").glob("*.html"))
            seen.append((entry.task.series.layer, walls))

    build_atlas(tiny, out=tmp_path / "a", units=range(3), engine=watching, **WITH_SITE)
    assert seen[2] == ("conv1", ["conv1"]) and seen[-1] == ("conv2", ["conv1", "conv2"])


def test_the_shard_that_completes_the_plan_makes_the_site(tiny, tmp_path):
    options = {**WITH_SITE, "units": range(4)}
    build_atlas(tiny, out=tmp_path / "a", shard=(1, 2), **options)
    assert not (tmp_path / "a" / "site").exists()
    build_atlas(tiny, out=tmp_path / "a", shard=(2, 2), **options)
    assert (tmp_path / "a" / "site" / "index.html").is_file()


def test_a_site_is_made_without_a_run(grown_atlas, grown_copy, tiny):
    command = None
    assert site_of(grown_copy, tiny, command=command).complete() == grown_copy / "site" / "index.html"
    assert page(grown_copy / "site", "conv2", 1)["provenance"]["lanes"] == 1
    assert files(grown_copy / "site") == files(grown_atlas.store.folder / "site")


def test_an_empty_atlas_has_a_site(tiny, tmp_path):
    open_store(tmp_path / "a", create=True, writable=True)
    publisher = site_of(tmp_path / "a", tiny)
    publisher.update_layer("conv1")
    assert "tiny" in publisher.complete().read_text()


def test_a_layer_that_has_no_series_yet(grown_copy, tiny):
    atlas = Atlas(open_store(grown_copy))
    later = replace(atlas.find("conv2"), layer="fc", path="pictures/fc/main-0", units=(0, 1))
    atlas.__dict__["plan"] = [later, *atlas.plan]
    publisher = SitePublisher(SiteData(atlas, tiny), grown_copy / "site")
    for layer in ("fc", "conv2"):
        publisher.update_layer(layer)
    assert "0 of 80 units" in (grown_copy / "site" / "index.html").read_text()
    assert (grown_copy / "site" / "layers" / "conv2.html").is_file()
    publisher.complete()
    assert "3 of 8 units" in (grown_copy / "site" / "index.html").read_text()


def test_an_update_writes_only_what_is_new(grown_copy, tiny, written, sheets):
    publisher = site_of(grown_copy, tiny)
    publisher.update_layer("conv1")
    assert written == [("conv1", unit) for unit in range(20)]
    assert sheets == [tuple(range(16)), (16, 17, 18, 19)]
    publisher.entry_written(task("conv1"), 3)
    publisher.update()
    assert written[20:] == [("conv1", 3)] and len(sheets) == 2
    before = files(grown_copy / "site" / "grids")
    (next((grown_copy / "site" / "grids" / "conv1").glob("*.webp"))).unlink()
    publisher.update_layer("conv1")
    assert len(written) == 21 and len(sheets) == 3 and files(grown_copy / "site" / "grids") == before


def test_after_a_restart_current_pages_are_not_written_again(grown_copy, tiny, written):
    site_of(grown_copy, tiny).update_layer("conv2")
    wall = (grown_copy / "site" / "grids" / "conv2" / "units.js").read_bytes()
    del written[:]
    again = site_of(grown_copy, tiny)
    again.update_layer("conv2")
    assert written == [] and (grown_copy / "site" / "grids" / "conv2" / "units.js").read_bytes() == wall
    record = grown_copy / "site" / "units" / "conv2" / "1" / "unit.json"
    record.write_text(record.read_text().replace(page(grown_copy / "site", "conv2", 1)["pictures"][2]["key"], "0" * 64))
    (record.parents[1] / "2" / "unit.json").write_text("{")
    site_of(grown_copy, tiny).update_layer("conv2")
    assert written == [("conv2", 1), ("conv2", 2)]


def test_expensive_updates_are_rare(grown_copy, tiny, clock, written, monkeypatch):
    publisher = site_of(grown_copy, tiny)
    front = SitePublisher._write_index
    monkeypatch.setattr(
        SitePublisher,
        "_write_index",
        lambda self, network: (setattr(clock, "seconds", clock.seconds + 9), front(self, network)),
    )
    clock.seconds = MIN_INTERVAL + 1
    publisher.entry_written(task("conv1"), 3)
    assert written
    count = len(written)
    clock.seconds += 9 * COST_FACTOR - 1
    publisher.entry_written(task("conv1"), 4)
    assert len(written) == count
    clock.seconds += 2
    publisher.entry_written(task("conv1"), 5)
    assert written[count:] == [("conv1", 4), ("conv1", 5)]


def test_pages_show_other_pictures_before_the_end_of_the_run(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(publisher_module, "MIN_INTERVAL", 0)
    monkeypatch.setattr(publisher_module, "COST_FACTOR", 0)
    seen = []

    def watching(model, tasks, *, on_start):
        for entry in render_locally(model, tasks, on_start=on_start):
            yield entry
            if entry.task.series.role is not Role.MAIN:
                roles = [picture["role"] for picture in page(tmp_path / "a" / "site", "conv2", entry.unit)["pictures"]]
                seen.append((entry.task.series.role.value, roles))

    options = {**WITH_SITE, "layers": ["conv2"]}
    build_atlas(tiny, out=tmp_path / "a", units=range(2), full=["conv2"], engine=watching, **options)
    assert len(seen) == 6 and all(role in roles for role, roles in seen)
    assert seen[0][1] == ["main"] + ["facet"] * 4 and len(seen[-1][1]) == 7


def test_a_page_that_fails_does_not_stop_the_run(tiny, tmp_path, monkeypatch, capsys):
    def broken(*_, **options):
        raise RuntimeError("out of\nmemory " + "x" * 999)

    monkeypatch.setattr(SiteData, "unit_records", broken)
    with pytest.raises(FeatvizError, match="cannot be made: out of memory") as error:
        build_atlas(tiny, out=tmp_path / "a", units=range(3), **WITH_SITE)
    assert len(str(error.value).splitlines()) == 1 and len(str(error.value)) < 600
    assert fv.open_atlas(tmp_path / "a").count() == (6, 6)
    said = [line for line in capsys.readouterr().err.splitlines() if "no more pages" in line]
    assert len(said) == 1 and "out of memory" in said[0]


def test_ctrl_c_in_a_page_stops_the_run(tiny, tmp_path, monkeypatch):
    def stopped(*_, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(SiteData, "unit_records", stopped)
    with pytest.raises(KeyboardInterrupt):
        build_atlas(tiny, out=tmp_path / "a", units=range(3), **WITH_SITE)


def test_a_damaged_entry_is_named(grown_copy, tiny):
    path = fv.open_atlas(grown_copy).find("conv1").path
    for chunk in (grown_copy / path / "pixels").glob("c.7.*"):
        chunk.write_bytes(b"damaged")
    with pytest.raises(FeatvizError, match=r"conv1:7 \(main\) is damaged") as error:
        site_of(grown_copy, tiny).complete()
    assert len(str(error.value).splitlines()) == 1


def test_flags_are_on_the_page_of_the_layer(grown_copy, tiny, whole_survey):
    data = SiteData(fv.open_atlas(grown_copy), tiny, survey=whole_survey)
    assert all(summary.trusted for summary in data.summaries("conv2", trusted={0: True, 1: True, 2: True}))
    assert [summary.trusted for summary in data.summaries("conv2")] == [None] * 3
    SitePublisher(data, grown_copy / "site").complete()
    assert page(grown_copy / "site", "conv1", 19)["survey"]["count"] == len(whole_survey)


def test_a_picture_is_striking_by_structure_rather_than_by_soft_patches():
    rng = np.random.default_rng(0)
    patches = np.kron(rng.normal(size=(4, 4, 3)), np.ones((32, 32, 1)))
    structure = np.kron(rng.normal(size=(16, 16, 3)), np.ones((8, 8, 1)))
    soft, sharp = ((128 + scale * x).clip(0, 255).astype(np.uint8) for scale, x in ((24, patches), (40, structure)))
    grain = (128 + 60 * rng.normal(size=(128, 128, 3))).clip(0, 255).astype(np.uint8)
    assert coarse_contrast(sharp) > coarse_contrast(soft) > coarse_contrast(grain)
