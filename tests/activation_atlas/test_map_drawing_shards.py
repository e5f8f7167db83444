"""A map by shards, and on Ray, is that of one run, to the last bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import featviz as fv
from featviz.activation_atlas.map_drawing import share_out
from featviz.atlas.ray.engine import OnRay
from featviz.errors import FeatvizError

PHOTOS = list(np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3), np.uint8))
OPTIONS = {"levels": (2, 3), "layout": "pca", "size": 16, "steps": 4, "per_photo": 8, "progress": False}


def build(model, out, **options):
    return fv.build_activation_atlas(model, "conv1/relu", PHOTOS, out=out, **{**OPTIONS, **options})


def files(folder, *, but=("locks",)):
    found = (path for path in folder.rglob("*") if path.is_file() and not set(but) & set(path.parts))
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory):
    return build(tiny, tmp_path_factory.mktemp("whole") / "m")


@given(st.lists(st.integers(0, 30), min_size=1, max_size=4), st.integers(1, 7))
def test_shares_are_disjoint_even_and_all_of_it(counts, count):
    shares = [share_out(counts, index, count) for index in range(1, count + 1)]
    for level, cells in enumerate(counts):
        assert sorted(cell for share in shares for cell in share[level]) == list(range(cells))
    sizes = [sum(map(len, share)) for share in shares]
    assert max(sizes) - min(sizes) <= 1


def test_shards_make_the_map_of_one_run(tiny, whole, tmp_path):
    folder, count = tmp_path / "m", sum(map(len, whole.levels))
    for index in (3, 1):
        made = build(tiny, folder, shard=(index, 3))
        assert made.missing and not (folder / "index.html").exists()
    assert sum((level.pictures == 0).all((1, 2, 3)).sum() for level in made.levels) == made.missing <= count // 3 + 1
    last = build(tiny, folder, shard=(2, 3))
    assert last.missing == 0
    for level, other in zip(last.levels, whole.levels, strict=True):
        np.testing.assert_array_equal(level.pictures, other.pictures)
    # Pages, pictures, layout; of the activations the time of the harvest differs.
    expected = files(whole.folder, but=("locks", "activations"))
    assert files(folder, but=("locks", "activations")) == expected


def test_a_share_that_is_not_one_is_refused(tiny, tmp_path):
    for shard in ((0, 2), (3, 2), (1, 0)):
        with pytest.raises(FeatvizError, match="`shard` is"):
            build(tiny, tmp_path / "m", shard=shard)


def test_a_map_on_ray_is_that_of_one_process(tmp_path):
    pytest.importorskip("ray")
    photos = list(np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3), np.uint8))
    options = {**OPTIONS, "levels": (2,), "size": 32, "steps": 2, "min_photos": 1}
    model, made = fv.load("patterns"), []
    for name, engine in (("here", {}), ("ray", {"engine": OnRay("local", workers=1, cpus=1, batch=3)})):
        made.append(fv.build_activation_atlas(model, "mixed3a", photos, out=tmp_path / name, **options, **engine))
    np.testing.assert_array_equal(made[1].levels[0].pictures, made[0].levels[0].pictures)
    assert (tmp_path / "ray" / "index.html").read_bytes() == (tmp_path / "here" / "index.html").read_bytes()
