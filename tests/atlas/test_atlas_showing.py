"""From an atlas to its site and its files: what the pages are told, as the atlas grows and at the end; the commands."""

import csv
import json

import numpy as np
import pytest
from support.surveys import LAYERS
from test_atlas import DRAWN, OPTIONS

import featviz as fv
from featviz.atlas.build import build_atlas
from featviz.atlas.engines import local
from featviz.atlas.export import export
from featviz.atlas.pilot import estimate, table
from featviz.atlas.plan import make_plan
from featviz.cli.main import run
from featviz.errors import FeatvizError
from featviz.pages.records import Role

SHOWN = {**OPTIONS, "site": True}


def page(site, layer, unit):
    return json.loads((site / "units" / layer / str(unit) / "unit.json").read_text())


@pytest.fixture(scope="module")
def shown(tiny, whole_survey, tmp_path_factory):
    """An atlas with its site, the second layer with full pages, and photographs on them."""
    out = tmp_path_factory.mktemp("shown") / "a"
    units = {"conv1": range(6), "conv2": range(8)}
    build_atlas(tiny, out=out, units=units, full=["conv2"], survey=whole_survey, **SHOWN)
    return out


def test_every_unit_has_its_page(shown):
    atlas, site = fv.open_atlas(shown), shown / "site"
    for layer, count in (("conv1", 6), ("conv2", 8)):
        assert (site / "layers" / f"{layer}.html").is_file()
        for unit in range(count):
            found = page(site, layer, unit)
            assert found["layer"] == layer and found["unit"] == unit
            assert found["pictures"][0]["score"] == pytest.approx(atlas.picture(f"{layer}:{unit}").score)
            assert (site / "units" / layer / str(unit) / "index.html").is_file()
    roles = [picture["role"] for picture in page(site, "conv2", 3)["pictures"]]
    assert roles[0] == "main" and sorted(roles) == sorted(
        ["main", "seed", "seed", "negative", "center"] + ["facet"] * 4
    )
    assert [picture["role"] for picture in page(site, "conv1", 3)["pictures"]] == ["main"]
    # Each its own file.
    files = [picture["file"] for picture in page(site, "conv2", 3)["pictures"]]
    assert len(set(files)) == len(files) == 9 and all(
        (site / "units" / "conv2" / "3" / name).is_file() for name in files
    )
    seeds = [picture for picture in page(site, "conv2", 3)["pictures"] if picture["role"] == "seed"]
    assert [(each["index"], each["seed"]) for each in seeds] == [(0, 1), (1, 2)]
    assert "conv1" in (site / "index.html").read_text()


def test_a_page_names_what_its_unit_is_tied_to(shown, tiny):
    kernel = np.asarray(tiny.weights["params"]["conv2"]["kernel"])
    inputs = page(shown / "site", "conv2", 3)["inputs"]
    assert inputs and all(each["layer"] == "conv1" for each in inputs)
    assert abs(inputs[0]["strength"]) == pytest.approx(1) and len(inputs) <= kernel.shape[2]
    outputs = page(shown / "site", "conv1", 2)["outputs"]
    assert {each["layer"] for each in outputs} == {"conv2"} and len(outputs) == 8
    assert all(each["layer"] == "conv2" for each in page(shown / "site", "conv2", 0)["similar"])
    assert len(page(shown / "site", "conv2", 0)["classes"]) == 5


def test_photographs_are_on_the_pages(shown, whole_survey):
    found = page(shown / "site", "conv2", 1)["survey"]
    assert found["count"] == len(whole_survey)
    assert found["mean"] == pytest.approx(float(whole_survey.maxima("conv2")[:, 1].mean()), rel=1e-4)
    assert "conv2" in LAYERS


def test_the_site_grows_with_the_atlas(tiny, tmp_path):
    seen = []

    def watching(model, tasks, *, on_start):
        for drawn in local(model, tasks, on_start=on_start):
            yield drawn
            walls = sorted(path.stem for path in (tmp_path / "a" / "site" / "layers").glob("*.html"))
            seen.append((drawn.task.series.layer, walls))

    build_atlas(tiny, out=tmp_path / "a", units=range(3), engine=watching, **SHOWN)
    assert seen[2] == ("conv1", ["conv1"]) and seen[-1] == ("conv2", ["conv1", "conv2"])


def test_the_share_that_completes_the_plan_makes_the_site(tiny, tmp_path):
    options = {**SHOWN, "units": range(4)}
    build_atlas(tiny, out=tmp_path / "a", shard=(1, 2), **options)
    assert not (tmp_path / "a" / "site").exists()
    build_atlas(tiny, out=tmp_path / "a", shard=(2, 2), **options)
    assert (tmp_path / "a" / "site" / "index.html").is_file()


def test_export_writes_every_picture_and_a_table(shown, tmp_path):
    atlas = fv.open_atlas(shown)
    written = export(atlas, tmp_path / "e", progress=False)
    rows = list(csv.DictReader(written.read_text().splitlines()))
    assert written.name == "units.csv" and len(rows) == 6 + 8 * 9
    for row in rows[:3]:
        picture = fv.load_picture(tmp_path / "e" / row["file"])
        found = atlas.picture(f"{row['layer']}:{row['unit']}")
        assert np.array_equal(picture.to_uint8(), found.to_uint8()) and picture.score == found.score
        assert row["key"] == next(r.key for r in atlas.rows() if (r.layer, r.unit) == (row["layer"], int(row["unit"])))
    facet = next(row for row in rows if row["role"] == "facet" and row["file"].endswith("facet2.png"))
    group = atlas.pictures(f"conv2:{facet['unit']}", role=Role.FACET)
    assert np.array_equal(fv.load_picture(tmp_path / "e" / facet["file"]).to_uint8(), group[2].to_uint8())
    with pytest.raises(FeatvizError, match="`table` is `xlsx`"):
        export(atlas, tmp_path / "e", table="xlsx", progress=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(FeatvizError, match="cannot be made"):
        export(atlas, tmp_path / "file" / "e", progress=False)


def test_export_as_parquet(shown, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    written = export(fv.open_atlas(shown), tmp_path / "e", table="parquet", suffix="webp", progress=False)
    found = parquet.read_table(written).to_pydict()
    assert len(found["unit"]) == 6 + 8 * 9 and set(found["layer"]) == {"conv1", "conv2"}
    assert (tmp_path / "e" / found["file"][0]).suffix == ".webp"


def test_an_estimate_counts_what_there_is_to_do(tiny):
    plan = make_plan(
        tiny, layers=["conv1", "conv2"], units=None, full=["conv2"], seed=0, dtype=None,
        recipe=DRAWN["recipe"], size=16, steps=4,
    )  # fmt: skip
    estimates = estimate(tiny, plan.tasks)
    assert [len(each.task.units) for each in estimates] == [80] + [8] * 6
    assert all(each.seconds > 0 and each.lanes == 1 and each.memory > 0 for each in estimates)
    assert "88 units, 128 entries" in table(estimates, "atlas")[-1]


def fails(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        run(["atlas", "patterns", *arguments])
    return ended.value.code, capsys.readouterr().err


def test_wrong_commands(capsys, tmp_path):
    out = ["-o", str(tmp_path / "a")]
    for arguments, says in (
        (["--layers", "mixd4a"], "matches `mixd4a`"),
        (["--shard", "5/4"], "--shard is `5/4`; expected I/N"),
        (["--units", "5-2"], "--units is `5-2`"),
        (["--units", "conv1:99"], "`units` is 99"),
        (["--full", "nose"], "`full`: no layer"),
        (["--recipe", "lucd"], "did you mean `lucid`"),
        (["--size", "2"], "`size` is 2"),
    ):
        status, said = fails(capsys, *out, *arguments)
        assert status == 2 and says in said and len(said.splitlines()) == 1
    assert not (tmp_path / "a").exists()


def test_the_commands(capsys, tmp_path):
    out = str(tmp_path / "a")
    options = ["--layers", "conv1", "--units", "0-1", "--recipe", "erhan_2009", "--size", "16", "--steps", "4"]
    run(["atlas", "patterns", "-o", out, *options, "--plan"])
    assert "2 units, 2 entries" in capsys.readouterr().out and not (tmp_path / "a").exists()
    run(["atlas", "patterns", "-o", out, *options])
    said = capsys.readouterr().out
    assert "2 of 2 entries" in said and (tmp_path / "a" / "site" / "index.html").as_uri() in said
    run(["export", out, "-o", str(tmp_path / "e"), "--format", "npy", "--layers", "conv*"])
    with pytest.raises(SystemExit):
        run(["export", out, "-o", str(tmp_path / "e"), "--layers", "conv1,conv2"])
    assert "the atlas has no layer `conv2`; did you mean `conv1`?" in capsys.readouterr().err
    assert (tmp_path / "e" / "conv1" / "1.npy").is_file()
    command = fv.open_atlas(out).picture("conv1:1").provenance["command"]
    assert command == "featviz render patterns conv1:1 --recipe erhan_2009 --size 16 --steps 4 --seed 0 -o conv1-1.png"
    with pytest.raises(SystemExit):
        run(["export", str(tmp_path / "none"), "-o", str(tmp_path / "e")])
    assert "does not exist" in capsys.readouterr().err
