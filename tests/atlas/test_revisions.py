"""Revisions: pictures made with other settings are kept and can be opened; another network is refused."""

import dataclasses
import re
import shutil

import numpy as np
import pytest
import zarr
from support.tiny import SMALL

import featviz as fv
from featviz.atlas.build import build_atlas
from featviz.atlas.revisions import list_revisions
from featviz.cli.main import run
from featviz.errors import FeatvizError

OPTIONS = {"layers": ["conv1"], "site": False, "recipe": fv.recipes.erhan_2009, **SMALL}


@pytest.fixture(scope="module")
def two(tiny, tmp_path_factory):
    """Units 0 and 1, then with another seed units 2 and 3."""
    folder = tmp_path_factory.mktemp("two") / "a"
    build_atlas(tiny, out=folder, units=[0, 1], **OPTIONS)
    build_atlas(tiny, out=folder, units=[2, 3], **OPTIONS | {"seed": 5})
    return folder


def test_the_older_revision_can_be_opened(tiny, two):
    last = fv.open_atlas(two)
    older, newer = last.revisions
    assert last.find("conv1").units == (2, 3) and older.name != newer.name
    first = fv.open_atlas(two, revision=older.name)
    assert first.find("conv1").units == (0, 1) and first.count() == (2, 2)
    picture = fv.render(tiny, fv.channel("conv1", 1), recipe=OPTIONS["recipe"], **SMALL)
    assert np.array_equal(first.picture("conv1:1").to_uint8(), picture.to_uint8())
    assert fv.open_atlas(two, revision=newer.hash).find("conv1").units == (2, 3)
    assert str(older) == f"{older.name} ({tiny.name} --recipe erhan_2009 --size 16 --steps 4 --seed 0)"


@pytest.mark.parametrize("name", ["", "nose"])
def test_a_revision_that_does_not_exist(two, name):
    older, newer = fv.open_atlas(two).revisions
    with pytest.raises(FeatvizError) as error:
        fv.open_atlas(two, revision=name)
    assert f"`revision` is `{name}`; expected one of {older}, {newer}" == str(error.value)


def test_a_command_names_the_revision_that_is_kept(tiny, two, tmp_path, capsys):
    shutil.copytree(two, tmp_path / "a")
    older, newer = fv.open_atlas(two).revisions
    loud = {**OPTIONS, "progress": True}
    build_atlas(tiny, out=tmp_path / "a", units=[0], **loud | {"seed": 5})
    assert "keeps" not in capsys.readouterr().err
    build_atlas(tiny, out=tmp_path / "a", units=[0], **loud)
    line = next(line for line in capsys.readouterr().err.splitlines() if "keeps" in line)
    assert (
        line.startswith(f"`{tmp_path / 'a'}` keeps the pictures of revision {newer}; ")
        and f"--revision {newer.name}" in line
    )
    # The older one is the last command's again.
    assert [each.name for each in fv.open_atlas(tmp_path / "a").revisions] == [newer.name, older.name]


def test_another_network_is_refused(tiny, other_weights, two, tmp_path):
    shutil.copytree(two, tmp_path / "a")
    other = dataclasses.replace(tiny, name="another", weights=other_weights)
    with pytest.raises(FeatvizError, match=f"is an atlas of {tiny.name}, not of another; expected another folder"):
        build_atlas(other, out=tmp_path / "a", **OPTIONS)
    # The same under another name, and other weights of the same: a checkpoint.
    build_atlas(dataclasses.replace(tiny, name="another"), out=tmp_path / "a", units=[0], **OPTIONS)
    build_atlas(dataclasses.replace(tiny, weights=other_weights), out=tmp_path / "a", units=[0], **OPTIONS)
    assert len(fv.open_atlas(tmp_path / "a").revisions) == 3


def test_damaged_metadata_hide_no_other_revision(two, tmp_path):
    shutil.copytree(two, tmp_path / "a")
    atlas = fv.open_atlas(tmp_path / "a")
    (tmp_path / "a" / atlas.plan[0].path / "zarr.json").unlink()
    assert [each.name for each in list_revisions(fv.open_atlas(tmp_path / "a").store)] == [atlas.revisions[0].name]


def test_the_commands(tmp_path, capsys):
    out = str(tmp_path / "a")
    options = ["--layers", "conv1", "--recipe", "erhan_2009", "--size", "16", "--steps", "2"]
    run(["atlas", "patterns", "-o", out, *options, "--units", "0", "--no-site"])
    run(["atlas", "patterns", "-o", out, *options, "--units", "1", "--seed", "3"])
    name = re.search(r"--revision (\w+)", capsys.readouterr().err)[1]
    run(["export", out, "-o", str(tmp_path / "older"), "--revision", name, "--quiet"])
    run(["export", out, "-o", str(tmp_path / "last"), "--quiet"])
    assert (tmp_path / "older" / "conv1" / "0.png").exists() and not (tmp_path / "older" / "conv1" / "1.png").exists()
    assert (tmp_path / "last" / "conv1" / "1.png").exists() and not (tmp_path / "last" / "conv1" / "0.png").exists()
    run(["site", out, "--revision", name, "--quiet"])
    assert '"units":[0]' in (tmp_path / "a" / "site" / "grids" / "conv1" / "units.js").read_text("utf-8")
    for arguments in ([], ["--plan"]):
        with pytest.raises(SystemExit) as error:
            run(["atlas", "support.tiny:build", "-o", out, *options, *arguments])
        assert error.value.code == 2 and "is an atlas of patterns, not of " in capsys.readouterr().err


def test_a_zarr_reader_goes_through_the_pictures(two):
    """As in docs/atlas.md; a warning would be an error here."""
    pictures = zarr.open_group(str(two / "pictures"), mode="r")
    shapes = [series["pixels"].shape for _, kinds in pictures.groups() for _, series in kinds.groups()]
    assert len(shapes) == 2 and {shape[1:3] for shape in shapes} == {(16, 16)}
