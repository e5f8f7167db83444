"""Entries equal the pictures of `render`, and a resumed atlas equals one rendered in one run."""

import dataclasses

import flax.linen as nn
import numpy as np
import pytest
import zarr
from support.atlases import OPTIONS, RECIPE, RENDERED, assert_equal
from support.tiny import SMALL, Gauges, build

import featviz as fv
from featviz.atlas.build import build_atlas
from featviz.atlas.engines import render_locally
from featviz.atlas.journal import read_journal
from featviz.errors import FeatvizError
from featviz.pages.records import Role


class Named(nn.Module):
    """`Gauges` as a layer with a name."""

    @nn.compact
    def __call__(self, x):
        return Gauges(name="gauges")(x)


def test_an_entry_equals_the_picture_of_render(tiny, complete):
    for role, objective in (
        (Role.MAIN, fv.channel("conv2", 3)),
        (Role.NEGATIVE, -fv.channel("conv2", 3)),
        (Role.CENTER, fv.neuron("conv2", 3)),
    ):
        picture = fv.render(tiny, objective, **RENDERED)
        found = complete.picture("conv2:3", role=role)
        assert np.array_equal(found.to_uint8(), picture.to_uint8()) and found.score == picture.score
        assert np.array_equal(found.history, picture.history) and found.outcome is picture.outcome
    group = fv.render_group(tiny, fv.diverse(fv.channel("conv2", 3)), group_size=4, **RENDERED)
    facets = complete.pictures("conv2:3", role=Role.FACET)
    assert [np.array_equal(a.to_uint8(), b.to_uint8()) for a, b in zip(group, facets, strict=True)] == [True] * 4


def test_a_resumed_atlas_equals_one_rendered_in_one_run(tiny, complete, tmp_path):
    for units in (range(1), [5, 3], None):
        part = build_atlas(tiny, out=tmp_path / "a", full=["conv2"], units=units, **OPTIONS)
    assert_equal(complete, part)
    journals = read_journal(tmp_path / "a" / "journal")
    starts = [event for events in journals for event in events if event.event == "start"]
    assert len(starts) == complete.count()[0] == len({(event.series, event.unit) for event in starts})


def test_pictures_of_another_recipe_are_kept(tiny, copied_atlas):
    before = fv.open_atlas(copied_atlas)
    first, series = before.pixels("conv1"), before.series
    after = build_atlas(tiny, out=copied_atlas, **OPTIONS | {"recipe": fv.recipes.tf_tutorial_2015})
    assert not np.array_equal(after.pixels("conv1"), first)
    assert set(series) < set(after.series) and len(after.series) == len(series) + 2
    back = build_atlas(tiny, out=copied_atlas, full=["conv2"], **OPTIONS)
    assert np.array_equal(back.pixels("conv1"), first) and back.count() == before.count()


def test_plans_of_one_revision_are_parts_of_one_atlas(tiny, tmp_path):
    options = {**OPTIONS, "layers": None}
    build_atlas(tiny, out=tmp_path / "a", **options | {"layers": ["conv2"], "units": range(3), "full": None})
    both = build_atlas(tiny, out=tmp_path / "a", **options | {"layers": ["conv1"], "units": [5]})
    assert both.layers == ("conv1", "conv2") and both.count() == (1 + 3 * 4, 1 + 3 * 4)
    assert [series.role for series in both.plan][:2] == [Role.MAIN, Role.MAIN]
    more = build_atlas(tiny, out=tmp_path / "a", **options | {"layers": ["conv2"], "units": [2, 7]})
    assert more.find("conv2").units == (0, 1, 2, 7)
    other = build_atlas(tiny, out=tmp_path / "a", **options | {"layers": ["conv2"], "units": [0], "seed": 5})
    assert other.count() == (1, 1) and fv.open_atlas(tmp_path / "a").count() == (1, 1)


def test_a_shard_plans_the_entries_of_the_others(tiny, tmp_path):
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
    picture = fv.render(tiny, fv.channel("conv1", 1), **RENDERED | {"recipe": clear})
    assert np.array_equal(made.picture("conv1:1").to_uint8(), picture.to_uint8())
    assert made.picture("conv1:1").alpha is not None and made.pixels("conv1").shape[-1] == 4


def test_a_picture_from_another_machine_is_refused(tiny, tmp_path):
    def elsewhere(model, tasks, *, on_start):
        for entry in render_locally(model, tasks, on_start=on_start):
            device = {"platform": "gpu", "kind": "H100"}
            pictures = [
                dataclasses.replace(each, provenance={**each.provenance, "device": device}) for each in entry.pictures
            ]
            yield entry._replace(pictures=pictures)

    with pytest.raises(FeatvizError, match=r"comes from device .*H100.*its series expects .*cpu"):
        build_atlas(tiny, out=tmp_path / "a", units=[0], engine=elsewhere, **OPTIONS)
    assert fv.open_atlas(tmp_path / "a").count() == (0, 2)


def test_nans_stop_a_lane_and_faults_are_reported(tmp_path):
    made = build_atlas(build(Named()), out=tmp_path / "a", layers=["gauges"], site=False, **SMALL | {"steps": 24})
    outcomes = dict(zip(made.table()["unit"].tolist(), made.table()["outcome"].tolist(), strict=True))
    assert outcomes[2] == "not finite" and outcomes[3] == "dead" and outcomes[0] == "out of steps"
    assert made.count() == (7, 7)
    report = "\n".join(made.report())
    assert "not finite: gauges:2" in report and "dead: gauges:3" in report and "gauges:0" not in report


def test_in_object_storage(tiny, complete):
    pytest.importorskip("fsspec")
    made = build_atlas(tiny, out="memory://bucket/atlas", full=["conv2"], **OPTIONS)
    assert made.count()[0] == complete.count()[0] and np.array_equal(made.pixels("conv1"), complete.pixels("conv1"))
    # Another process would open it so, and go on.
    again = fv.open_atlas("memory://bucket/atlas")
    assert again.picture("conv2:1").score == complete.picture("conv2:1").score
    assert build_atlas(tiny, out="memory://bucket/atlas", full=["conv2"], **OPTIONS).count() == made.count()
    other = build_atlas(tiny, out="memory://bucket/atlas", units=[0], **OPTIONS | {"seed": 7})
    assert other.count() == (2, 2) and other.layers == ("conv1", "conv2")
    zarr.open_group("memory://bucket/mine", mode="w").attrs["mine"] = True
    with pytest.raises(FeatvizError, match="expected featviz atlas 2"):
        build_atlas(tiny, out="memory://bucket/mine", **OPTIONS)
