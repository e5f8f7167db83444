"""A harvest by shards has the rows of one without, bit for bit, in any number of shards and with a stop."""

import itertools
import shutil

import numpy as np
import pytest
from support.surveys import IMAGES, make_folder, refused

from featviz.dictionaries.fitting import harvest_shards
from featviz.dictionaries.fitting.activation_store import HELD_OUT, TRAIN, open_activations
from featviz.dictionaries.fitting.harvest import harvest
from featviz.dictionaries.fitting.harvest_shards import Shard
from featviz.dictionaries.fitting.position_sampling import Sampling

OPTIONS = {"sampling": Sampling(per_photo=5, high_norms=False), "progress": False}


def contents(store):
    return [
        np.asarray(store.group[f"{part}/{name}"][: store.rows(part)])
        for part in (TRAIN, HELD_OUT)
        for name in ("values", "photo", "position")
    ]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("photos") / "p", IMAGES[:70], broken=(0, 19))


@pytest.fixture(scope="module")
def whole(tiny, photos, tmp_path_factory):
    return harvest(tiny, "conv2", photos, out=tmp_path_factory.mktemp("whole") / "a", **OPTIONS)


def test_shards_are_ranges_of_whole_batches():
    for total in (1, 16, 100, 1000):
        for count in (1, 3, 64, 200):
            ranges = [Shard(index, count).photos(total, 16) for index in range(1, count + 1)]
            assert ranges[0][0] == 0 and ranges[-1][1] == total
            assert all(a[1] == b[0] for a, b in itertools.pairwise(ranges))
            assert all(first % 16 == 0 for first, _ in ranges)


@pytest.mark.parametrize("count", [2, 7])
def test_put_together_they_equal_one_harvest(tiny, photos, whole, tmp_path, count, monkeypatch):
    for index in reversed(range(1, count + 1)):
        part = harvest(tiny, "conv2", photos, out=tmp_path / "a", shard=Shard(index, count), **OPTIONS)
        assert part.path == tmp_path / f"a.{index}-of-{count}"
        if index > 1:
            refused("not finished are shards 1/", harvest, tiny, "conv2", photos, out=tmp_path / "a", **OPTIONS)
    monkeypatch.setattr("featviz.dictionaries.fitting.harvest.sampled_activations", None)
    made = harvest(tiny, "conv2", photos, out=tmp_path / "a", **OPTIONS)
    assert all(map(np.array_equal, contents(whole), contents(made)))
    assert made.faults() == whole.faults() and made.attributes["total"] == 70
    for name, value in whole.attributes["norms"].items():
        assert made.attributes["norms"][name] == pytest.approx(value, rel=1e-12)
    # Once it is whole, the shards are not needed.
    for index in range(1, count + 1):
        shutil.rmtree(tmp_path / f"a.{index}-of-{count}")
    harvest(tiny, "conv2", photos, out=tmp_path / "a", **OPTIONS)


def test_pieces_are_whole_photographs(whole, monkeypatch):
    monkeypatch.setattr(harvest_shards, "PIECE", 16 / whole.chunk)
    pieces = list(harvest_shards.pieces(whole, 3))
    ends = [end for _, end in pieces]
    assert ends[-1] == 70 and ends == sorted(set(ends)) and len(ends) > 5
    for number, part in enumerate((TRAIN, HELD_OUT)):
        taken = [np.concatenate(arrays) for arrays in zip(*(parts[part] for parts, _ in pieces), strict=True)]
        photo = whole.where(part)[0]
        for mine, theirs in zip(taken, contents(whole)[3 * number : 3 * number + 3], strict=True):
            assert np.array_equal(mine, theirs[photo >= 3])


def test_putting_together_goes_on_after_a_stop(tiny, photos, whole, tmp_path, monkeypatch):
    for index in (1, 2, 3):
        harvest(tiny, "conv2", photos, out=tmp_path / "a", shard=Shard(index, 3), **OPTIONS)
    append = type(whole).append

    def stopped(self, parts, done, attributes):
        append(self, parts, done, attributes)
        raise KeyboardInterrupt

    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(type(whole), "append", stopped)
            with pytest.raises(KeyboardInterrupt):
                harvest(tiny, "conv2", photos, out=tmp_path / "a", **OPTIONS)
    assert open_activations(tmp_path / "a").attributes["total"] is None
    made = harvest(tiny, "conv2", photos, out=tmp_path / "a", **OPTIONS)
    assert all(map(np.array_equal, contents(whole), contents(made)))


def test_what_cannot_be_shared_is_refused(tiny, photos, tmp_path):
    given = {"out": tmp_path / "a", **OPTIONS}
    refused("`shard` is 1/2 of images from Python", harvest, tiny, "conv2", IMAGES[:4], shard=Shard(1, 2), **given)
    for shard in (Shard(1, 2), Shard(2, 2)):
        harvest(tiny, "conv2", photos, shard=shard, **given)
    refused("activations with other layer", harvest, tiny, "fc", photos, **given)
    harvest(tiny, "conv2", photos, shard=Shard(1, 3), **given)
    refused("some of 2 shards and 3 shards", harvest, tiny, "conv2", photos, **given)


def test_the_folder_one_is_in_may_hold_the_harvest(tiny, photos, whole, tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    part = harvest(tiny, "conv2", photos, out=".", shard=Shard(2, 2), **OPTIONS)
    assert part.path == tmp_path / "a.2-of-2"
