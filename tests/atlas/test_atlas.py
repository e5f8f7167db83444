"""The atlas: what names an entry, what a run leaves, and that a continued one is one that was never stopped."""

import dataclasses
import json
import shutil

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zarr
from support.tiny import SMALL, Gauges, build

import featviz as fv
from featviz.atlas.atlas_store import safe_part
from featviz.atlas.build import build_atlas
from featviz.atlas.engines import local
from featviz.atlas.journal import read_journal
from featviz.atlas.plan import make_plan, share
from featviz.errors import FeatvizError
from featviz.pages.records import Role

# Programs of this recipe compile in no time.
RECIPE = fv.recipes.erhan_2009
DRAWN = {"recipe": RECIPE, **SMALL}
OPTIONS = {"layers": ["conv1", "conv2"], "site": False, **DRAWN}
PLAN = {
    "layers": ["conv1", "conv2"],
    "units": None,
    "full": [],
    "recipe": fv.recipes.default,
    "size": 16,
    "steps": 4,
    "seed": 0,
    "dtype": None,
}
ARRAYS = ("pixels", "score", "history", "outcome")


class Named(nn.Module):
    """`Gauges` as a layer with a name."""

    @nn.compact
    def __call__(self, x):
        return Gauges(name="gauges")(x)


def arrays_of(atlas):
    return {(each["path"], name): atlas.entries(each["path"]).arrays[name][:] for each in atlas.plan for name in ARRAYS}


def assert_equal(first, second):
    a, b = arrays_of(first), arrays_of(second)
    assert a.keys() == b.keys()
    assert all(np.array_equal(a[key], b[key], equal_nan=True) for key in a)


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory):
    """An atlas of all units of two layers, drawn at once, the second with full pages."""
    return build_atlas(tiny, out=tmp_path_factory.mktemp("whole") / "a", full=["conv2"], **OPTIONS)


@pytest.fixture
def copy(whole, tmp_path):
    """The same atlas in a folder that a test may spoil."""
    shutil.copytree(whole.store.folder, tmp_path / "a")
    return tmp_path / "a"


def test_an_entry_is_the_picture_that_render_draws(tiny, whole):
    for role, objective in (
        (Role.MAIN, fv.channel("conv2", 3)),
        (Role.NEGATIVE, -fv.channel("conv2", 3)),
        (Role.CENTER, fv.neuron("conv2", 3)),
    ):
        picture = fv.render(tiny, objective, **DRAWN)
        found = whole.picture("conv2:3", role=role)
        assert np.array_equal(found.to_uint8(), picture.to_uint8()) and found.score == picture.score
        assert np.array_equal(found.history, picture.history) and found.outcome is picture.outcome
    again = fv.render(tiny, fv.channel("conv2", 3), seed=2, **DRAWN)
    assert np.array_equal(whole.picture("conv2:3", role=Role.SEED, seed=2).to_uint8(), again.to_uint8())
    group = fv.render_group(tiny, fv.diverse(fv.channel("conv2", 3)), group_size=4, **DRAWN)
    facets = whole.pictures("conv2:3", role=Role.FACET)
    assert [np.array_equal(a.to_uint8(), b.to_uint8()) for a, b in zip(group, facets, strict=True)] == [True] * 4


def test_a_continued_atlas_equals_one_made_at_once(tiny, whole, tmp_path):
    for units in (range(1), [5, 3], None):
        part = build_atlas(tiny, out=tmp_path / "a", full=["conv2"], units=units, **OPTIONS)
    assert_equal(whole, part)
    starts = [line for lines in read_journal(tmp_path / "a" / "journal") for line in lines if line.event == "start"]
    assert len(starts) == whole.count()[0] == len({(line.series, line.unit) for line in starts})


def test_another_recipe_stays_beside_the_first(tiny, copy):
    before = fv.open_atlas(copy)
    first, series = before.pixels("conv1"), before.series
    after = build_atlas(tiny, out=copy, **OPTIONS | {"recipe": fv.recipes.tf_tutorial_2015})
    assert not np.array_equal(after.pixels("conv1"), first)
    assert set(series) < set(after.series) and len(after.series) == len(series) + 2
    back = build_atlas(tiny, out=copy, full=["conv2"], **OPTIONS)
    assert np.array_equal(back.pixels("conv1"), first) and back.count() == before.count()


def test_a_key_names_all_that_can_change_the_pixels(tiny, other_weights):
    def key(model=tiny, **options):
        return make_plan(model, **{**PLAN, **options}).tasks[0].series.key(0)

    same = key()
    changed = {
        "weights": key(dataclasses.replace(tiny, weights=other_weights)),
        "input": key(dataclasses.replace(tiny, input=dataclasses.replace(tiny.input, mean=(0.1,)))),
        "recipe": key(recipe=fv.recipes.lucid),
        "size": key(size=24),
        "sides": key(size=(16, 24)),
        "steps": key(steps=5),
        "seed": key(seed=1),
        "dtype": key(dtype="bfloat16"),
    }
    assert len({same, *changed.values()}) == len(changed) + 1
    assert key() == same and key(units=[3]) == same and key(layers=["conv1"]) == same
    renamed = dataclasses.replace(tiny, name="other", source={"weights": "elsewhere.safetensors"})
    assert key(renamed) == same
    series = make_plan(tiny, **PLAN).tasks[0].series
    assert series.key(1) != same
    for machine in ({"routine": 0}, {"architecture": "another"}):
        assert dataclasses.replace(series, machine={**series.machine, **machine}).key(0) != same
    versions = {**series.run["versions"], "jax": "0.0"}
    for run in ({"versions": versions}, {"device": {"platform": "cpu", "kind": "other"}}):
        assert dataclasses.replace(series, run={**series.run, **run}).key(0) != same


def test_an_architecture_is_told_from_another():
    from featviz.model import hash_architecture

    assert hash_architecture(build()) == hash_architecture(build(seed=1))
    assert hash_architecture(build()) != hash_architecture(build(Gauges()))
    assert hash_architecture(build()) != hash_architecture(build(), size=(24, 24))
    before = hash_architecture(fv.load("patterns"))
    # What was traced before must not matter.
    jax.clear_caches()
    jax.make_jaxpr(lambda x: jax.nn.relu(x))(jnp.zeros((1, 32, 32, 20)))
    assert hash_architecture(fv.load("patterns")) == before


def test_constants_and_names_within_a_program_tell_architectures_apart():
    from featviz.model import InputSpec, Model, hash_architecture

    def model(constant, names):
        held = jnp.full((1, 3), constant)
        inner = jax.jit(lambda x: jnp.mean(x, axis=(1, 2)) * held)

        def apply(weights, images, *, layers=None):
            pair = inner(images), jax.lax.cond(True, inner, inner, images)
            return dict(zip(names, pair, strict=True))

        return hash_architecture(Model("m", apply, {}, (), InputSpec(size=(8, 8))))

    assert model(1.0, "ab") == model(1.0, "ab")
    assert len({model(1.0, "ab"), model(2.0, "ab"), model(1.0, "bc")}) == 3


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "missing", "metadata", "outcome"])
def test_a_corrupt_entry_is_named_and_drawn_again(tiny, whole, copy, capsys, damage):
    group = copy / whole.find("conv1")["path"]
    chunk = group / "pixels" / "c.7.0.0.0"
    match damage:
        case "cut":
            chunk.write_bytes(chunk.read_bytes()[:-20])
        case "flipped":
            data = bytearray(chunk.read_bytes())
            data[len(data) // 2] ^= 1
            chunk.write_bytes(data)
        case "empty":
            chunk.write_bytes(b"")
        case "missing":
            chunk.unlink()
        case "metadata":
            (group / "score" / "zarr.json").write_text('{"zarr_format": 3, "no')
        case "outcome":
            (group / "outcome" / "c.7").write_bytes(b"??")
    repaired = build_atlas(tiny, out=copy, full=["conv2"], **OPTIONS)
    assert_equal(whole, repaired)
    said = capsys.readouterr().err
    assert ("conv1:7 (main) is damaged and drawn again" in said) == (damage != "metadata")


def test_damage_elsewhere_stops_nobody(tiny, whole, copy):
    group = copy / whole.find("conv1")["path"]
    (group / "outcome" / "c.7").write_bytes(b"??")
    (group / "pixels" / "c.9.0.0.0").write_bytes(b"")
    made = build_atlas(tiny, out=copy, units={"conv1": [3]}, **OPTIONS)
    assert made.entries(made.find("conv1")["path"]).outcomes()[[3, 7, 9]].tolist()[:2] == [2, 0]
    outcomes = {(row.role, row.layer, row.unit): row.outcome for row in made.rows()}
    assert outcomes[Role.MAIN, "conv1", 7] == outcomes[Role.MAIN, "conv1", 9] == "damaged"
    assert "damaged: conv1:7, conv1:9" in made.report()


def test_plans_of_one_kind_are_parts_of_one_atlas(tiny, tmp_path):
    options = {**OPTIONS, "layers": None}
    build_atlas(tiny, out=tmp_path / "a", **options | {"layers": ["conv2"], "units": range(3), "full": None})
    both = build_atlas(tiny, out=tmp_path / "a", **options | {"layers": ["conv1"], "units": [5]})
    assert both.layers == ("conv1", "conv2") and both.count() == (1 + 3 * 6, 1 + 3 * 6)
    assert [each["role"] for each in both.plan][:2] == ["main", "main"]
    more = build_atlas(tiny, out=tmp_path / "a", **options | {"layers": ["conv2"], "units": [2, 7]})
    assert more.find("conv2")["units"] == [0, 1, 2, 7]
    other = build_atlas(tiny, out=tmp_path / "a", **options | {"layers": ["conv2"], "units": [0], "seed": 5})
    assert other.count() == (1, 1) and fv.open_atlas(tmp_path / "a").count() == (1, 1)


def test_a_share_knows_of_the_others(tiny, tmp_path):
    first = build_atlas(tiny, out=tmp_path / "a", shard=(1, 2), **OPTIONS)
    assert first.count()[1] == 88 and 0 < first.count()[0] < 88
    # More shares than there is to do: some have nothing.
    empty = build_atlas(tiny, out=tmp_path / "b", shard=(1, 500), **OPTIONS | {"units": [0], "site": True})
    assert empty.count() == (0, 2)


def test_a_recipe_of_stages(tiny, tmp_path):
    options = {**OPTIONS, "recipe": fv.recipes.oygard_2015, "steps": 22, "units": [0], "layers": ["conv1"]}
    made = build_atlas(tiny, out=tmp_path / "a", **options)
    picture = fv.render(tiny, fv.channel("conv1", 0), recipe=options["recipe"], size=16, steps=22, progress=False)
    assert np.array_equal(made.picture("conv1:0").to_uint8(), picture.to_uint8())
    assert len(made.picture("conv1:0").history) == len(picture.history) == 22


def test_pictures_with_alpha(tiny, tmp_path):
    clear = dataclasses.replace(RECIPE, transparency=True)
    made = build_atlas(tiny, out=tmp_path / "a", units=[1], **OPTIONS | {"recipe": clear})
    picture = fv.render(tiny, fv.channel("conv1", 1), **DRAWN | {"recipe": clear})
    assert np.array_equal(made.picture("conv1:1").to_uint8(), picture.to_uint8())
    assert made.picture("conv1:1").alpha is not None and made.pixels("conv1").shape[-1] == 4


def test_a_picture_from_elsewhere_is_refused(tiny, tmp_path):
    def elsewhere(model, tasks, *, on_start):
        for drawn in local(model, tasks, on_start=on_start):
            device = {"platform": "gpu", "kind": "H100"}
            pictures = [
                dataclasses.replace(each, provenance={**each.provenance, "device": device}) for each in drawn.pictures
            ]
            yield drawn._replace(pictures=pictures)

    with pytest.raises(FeatvizError, match=r"comes from device .*H100.*its series is of .*cpu"):
        build_atlas(tiny, out=tmp_path / "a", units=[0], engine=elsewhere, **OPTIONS)
    assert fv.open_atlas(tmp_path / "a").count() == (0, 2)


def test_what_a_kill_leaves_does_not_count(tiny, whole, copy):
    group = copy / whole.find("conv1")["path"]
    (group / "outcome" / "c.5").unlink()
    half = group / "pixels" / "c.5.0.0.0123456789abcdef.partial"
    half.write_bytes(b"half of it")
    assert fv.open_atlas(copy).count()[0] == whole.count()[0] - 1
    with pytest.raises(FeatvizError, match="no picture of `conv1:5`"):
        fv.open_atlas(copy).picture("conv1:5")
    assert_equal(whole, build_atlas(tiny, out=copy, full=["conv2"], **OPTIONS))
    assert not half.exists()


def test_nans_stop_a_lane_and_what_is_wrong_is_named(tmp_path):
    made = build_atlas(build(Named()), out=tmp_path / "a", layers=["gauges"], site=False, **SMALL | {"steps": 24})
    outcomes = dict(zip(made.table()["unit"].tolist(), made.table()["outcome"].tolist(), strict=True))
    assert outcomes[2] == "not finite" and outcomes[3] == "dead" and outcomes[0] == "out of steps"
    assert made.count() == (6, 6)
    report = "\n".join(made.report())
    assert "not finite: gauges:2" in report and "dead: gauges:3" in report and "gauges:0" not in report


def test_the_table_and_the_arrays(whole):
    table, done = whole.table(), whole.count()[0]
    assert {len(column) for column in table.values()} == {done} and done == whole.count()[1]
    assert set(table["role"]) == {role.value for role in Role} and set(table["layer"]) == {"conv1", "conv2"}
    assert len(set(table["key"])) == done and all(len(key) == 64 for key in table["key"])
    assert whole.pixels("conv1").shape == (80, 16, 16, 3) and whole.pixels("conv1").dtype == np.uint8
    assert whole.pixels("conv2", role=Role.FACET).shape == (8, 4, 16, 16, 3)
    assert np.isfinite(whole.scores("conv1")).all() and whole.scores("conv2", role=Role.FACET).shape == (8, 4)


def test_any_zarr_reader_opens_it(whole):
    group = zarr.open_group(str(whole.store.folder), mode="r")
    assert group.attrs["kind"] == "featviz atlas"
    path = whole.find("conv1")["path"]
    assert np.array_equal(group[f"{path}/pixels"][:], whole.pixels("conv1"))
    assert (
        group[path].attrs["identity"]["network"]["weights_sha256"]
        == whole.picture("conv1:0").provenance["network"]["weights_sha256"]
    )
    xarray = pytest.importorskip("xarray")
    opened = xarray.open_zarr(str(whole.store.folder / path), consolidated=False)
    assert dict(opened.sizes) == {"unit": 80, "y": 16, "x": 16, "channel": 3, "step": 4}
    assert np.array_equal(opened["score"].values, whole.scores("conv1"))
    opened.close()


def test_shares_are_disjoint_and_together_the_plan(tiny):
    plan = make_plan(tiny, **{**PLAN, "full": ["conv2"]})
    every = [(task.path, unit) for task in plan.tasks for unit in task.units]
    for count in (1, 2, 3, 7, 500):
        parts = [share(plan.tasks, tiny, number=number, count=count) for number in range(1, count + 1)]
        drawn = [(task.path, unit) for part in parts for task in part for unit in task.units]
        assert drawn == every
    for number, count in ((0, 2), (3, 2), (1, 0)):
        with pytest.raises(FeatvizError, match="`shard` is"):
            share(plan.tasks, tiny, number=number, count=count)


def test_hostile_layer_names_are_one_part_of_a_path():
    names = ["..", ".", "/", "a/b", "x" * 1000, "x" * 999, "<script>", "a\0b", "ü" * 300, "", "con:1", "%2E%2E"]
    parts = [safe_part(name) for name in names]
    assert len(set(parts)) == len(names)
    assert all("/" not in part and part not in (".", "..") and len(part.encode()) <= 120 for part in parts)


def test_places_that_are_no_atlas(tiny, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("mine")
    (tmp_path / "file").write_text("")
    survey = tmp_path / "survey"
    zarr.open_group(str(survey), mode="w").attrs["kind"] = "featviz survey"
    for place, says in (
        (other, "holds other things"),
        (tmp_path / "file", "cannot be made"),
        (tmp_path / "file" / "a", "cannot be made"),
        (survey, "holds other things"),
    ):
        with pytest.raises(FeatvizError, match=says):
            build_atlas(tiny, out=place, **OPTIONS)
    assert (other / "thesis.tex").read_text() == "mine"
    for place, says in (
        (other, "holds no atlas"),
        (tmp_path / "none", "does not exist"),
        (tmp_path / "file", "is a file"),
    ):
        with pytest.raises(FeatvizError, match=says):
            fv.open_atlas(place)


def test_an_atlas_of_a_later_format_is_refused(copy):
    described = json.loads((copy / "zarr.json").read_text())
    described["attributes"]["format"] = 99
    (copy / "zarr.json").write_text(json.dumps(described))
    with pytest.raises(FeatvizError, match="expected featviz atlas 1"):
        fv.open_atlas(copy)


def test_names_that_the_atlas_has_not(whole):
    with pytest.raises(FeatvizError, match="no layer `conv3`"):
        whole.picture("conv3:0")
    with pytest.raises(FeatvizError, match="no pictures of conv1 in the role `negative`"):
        whole.picture("conv1:0", role=Role.NEGATIVE)
    with pytest.raises(FeatvizError, match="no picture of `conv1:80`"):
        whole.picture("conv1:80")


def test_what_a_plan_refuses(tiny):
    for options, says in (
        ({"units": [80]}, "`units` is 80; expected a whole number from 0 to 79"),
        ({"units": {"conv2": [8]}}, "`units` is 8; expected a whole number from 0 to 7"),
        ({"units": {"conv3": [0]}}, "`units` names conv3"),
        ({"units": []}, "`units` is empty"),
        ({"units": [-1]}, "`units` is -1"),
        ({"size": 2}, "`size` is 2"),
        ({"steps": 0}, "`steps` is 0"),
        ({"layers": "conv1"}, "expected a list"),
        ({"seed": -1}, "`seed` is -1"),
    ):
        with pytest.raises(FeatvizError, match=says):
            make_plan(tiny, **{**PLAN, **options})


def test_in_object_storage(tiny, whole):
    pytest.importorskip("fsspec")
    made = build_atlas(tiny, out="memory://bucket/atlas", full=["conv2"], **OPTIONS)
    assert made.count()[0] == whole.count()[0] and np.array_equal(made.pixels("conv1"), whole.pixels("conv1"))
    # Another process would open it so, and go on.
    again = fv.open_atlas("memory://bucket/atlas")
    assert again.picture("conv2:1").score == whole.picture("conv2:1").score
    assert build_atlas(tiny, out="memory://bucket/atlas", full=["conv2"], **OPTIONS).count() == made.count()
    other = build_atlas(tiny, out="memory://bucket/atlas", units=[0], **OPTIONS | {"seed": 7})
    assert other.count() == (2, 2) and other.layers == ("conv1", "conv2")
    zarr.open_group("memory://bucket/mine", mode="w").attrs["mine"] = True
    with pytest.raises(FeatvizError, match="expected featviz atlas 1"):
        build_atlas(tiny, out="memory://bucket/mine", **OPTIONS)
