"""The folder of an atlas: names in paths, folders that hold something else, creation by several processes."""

import json
import subprocess
import sys

import pytest
import zarr
from support.atlases import OPTIONS
from support.processes import PATIENCE

import featviz as fv
from featviz.atlas.build import build_atlas
from featviz.errors import FeatvizError


def test_locations_without_an_atlas(tiny, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("mine")
    (tmp_path / "file").write_text("")
    survey = tmp_path / "survey"
    zarr.open_group(str(survey), mode="w").attrs["kind"] = "featviz survey"
    for location, says in (
        (other, "holds other files"),
        (tmp_path / "file", "cannot be created"),
        (tmp_path / "file" / "a", "cannot be created"),
        (survey, "holds other files"),
    ):
        with pytest.raises(FeatvizError, match=says):
            build_atlas(tiny, out=location, **OPTIONS)
    assert (other / "thesis.tex").read_text() == "mine"
    for location, says in (
        (other, "holds no atlas"),
        (tmp_path / "none", "does not exist"),
        (tmp_path / "file", "is a file"),
    ):
        with pytest.raises(FeatvizError, match=says):
            fv.open_atlas(location)


def test_an_atlas_of_a_later_format_is_refused(copied_atlas):
    described = json.loads((copied_atlas / "zarr.json").read_text())
    described["attributes"]["format"] = 99
    (copied_atlas / "zarr.json").write_text(json.dumps(described))
    with pytest.raises(FeatvizError, match="expected featviz atlas 2"):
        fv.open_atlas(copied_atlas)


@pytest.mark.slow
def test_several_processes_may_create_one_atlas_at_once(tmp_path):
    code = """
import sys, time
from pathlib import Path
from featviz.atlas.atlas_store import open_store
folder = Path(sys.argv[1])
(folder / f"ready{sys.argv[2]}").touch()
while len(list(folder.glob("ready*"))) < 3:
    time.sleep(0.001)
for index in range(40):
    store = open_store(folder / str(index), writable=True, create=True)
    store.add_series("pictures/a/main-0", (2, 2, 3), 4, 5, {"layer": "a"})
    store.add_plan("p", {"revision": "s", "series": [], "time": 1.0})
    assert store.entries("pictures/a/main-0").units == 4 and len(store.plans()) == 1
"""
    racing = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(index)], stderr=subprocess.PIPE)
        for index in range(3)
    ]
    assert [(process.communicate(timeout=PATIENCE)[1], process.returncode) for process in racing] == [(b"", 0)] * 3


def test_an_atlas_killed_as_it_was_created_is_created_again(tiny, tmp_path):
    (tmp_path / "a" / "locks").mkdir(parents=True)
    (tmp_path / "a" / "zarr.0123456789abcdef.partial").write_bytes(b'{"zarr_form')
    options = {**OPTIONS, "units": [0]}
    assert build_atlas(tiny, out=tmp_path / "a", **options).count() == (2, 2)
