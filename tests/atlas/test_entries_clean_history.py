"""The scores of the pictures themselves along the way, in an atlas and on its pages."""

import shutil

import numpy as np
import zarr
from support.atlases import OPTIONS, RENDERED
from support.tiny import SMALL

import featviz as fv
from featviz.atlas.build import build_atlas
from featviz.atlas.entries import CLEAN_HISTORY
from featviz.pages.records import Role


def test_entries_have_those_of_render(tiny, complete):
    picture = fv.render(tiny, fv.channel("conv2", 3), **RENDERED)
    np.testing.assert_array_equal(complete.picture("conv2:3").clean_history, picture.clean_history)
    assert picture.clean_history[:, 0].tolist() == [0, SMALL["steps"]]
    group = fv.render_group(tiny, fv.diverse(fv.channel("conv2", 3)), group_size=4, **RENDERED)
    for made, found in zip(group, complete.pictures("conv2:3", role=Role.FACET), strict=True):
        np.testing.assert_array_equal(found.clean_history, made.clean_history)


def test_an_atlas_of_an_earlier_version_is_read_and_grows(tiny, copied_atlas):
    before = fv.open_atlas(copied_atlas)
    for series in before.plan:
        shutil.rmtree(copied_atlas / series.path / "looks")
    old = fv.open_atlas(copied_atlas).picture("conv2:3")
    assert old.clean_history.shape == (0, 2) and len(old.history) == SMALL["steps"]
    grown = build_atlas(tiny, out=copied_atlas, full=["conv2"], **OPTIONS)
    journal = list((copied_atlas / "journal").glob("*"))
    assert journal and grown.count() == before.count()
    assert grown.picture("conv2:3").clean_history.shape == (0, 2)
    path = grown.find("conv2").path
    assert CLEAN_HISTORY in zarr.open_group(str(copied_atlas / path), mode="r")
    assert not list((copied_atlas / path / CLEAN_HISTORY).glob("c.*"))


def test_a_recipe_in_many_stages_keeps_its_first_and_last_scores(tmp_path, tiny):
    stages = tuple(fv.recipes.Stage(scale, 1) for scale in (0.5, 1.0) * 6)
    recipe = fv.Recipe(stages=stages, steps=12)
    made = build_atlas(
        tiny, out=tmp_path / "a", layers=["conv2"], units=[1], recipe=recipe, size=16, steps=12, site=False
    )
    picture = made.picture("conv2:1")
    assert picture.clean_history[[0, -1], 0].tolist() == [0, 12]
    assert picture.clean_history[-1, 1] == np.float32(picture.score)
