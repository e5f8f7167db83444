"""A harvest: the layer's own activations, the same with a stop, in bounded memory."""

from dataclasses import replace

import numpy as np
import pytest
from support.surveys import IMAGES, make_folder, refused

from featviz.dictionaries.fitting import harvest as module
from featviz.dictionaries.fitting.activation_store import HELD_OUT, TRAIN
from featviz.dictionaries.fitting.harvest import harvest
from featviz.dictionaries.fitting.position_sampling import Sampling

SOME = IMAGES[:70]


def contents(store):
    return [
        np.asarray(store.group[f"{part}/{name}"][: store.rows(part)])
        for part in (TRAIN, HELD_OUT)
        for name in ("values", "photo", "position")
    ]


def test_rows_are_activations_at_their_positions(tiny, tmp_path):
    store = harvest(tiny, "conv2", SOME, out=tmp_path / "a", sampling=Sampling(per_photo=5), progress=False)
    expected = np.asarray(tiny.apply(tiny.weights, SOME / np.float32(255), layers=("conv2",))["conv2"])
    expected = expected.reshape(len(SOME), -1, expected.shape[-1])
    for part, photos in ((TRAIN, 63), (HELD_OUT, 7)):
        values = store.read(part, 0, 10**6)
        photo, position = store.where(part)
        assert len(values) == 5 * photos and len(set(photo.tolist())) == photos
        np.testing.assert_allclose(values, expected[photo, position], atol=1e-5)
        assert set((photo % 10 == 9).tolist()) == {part == HELD_OUT}


def test_a_stop_changes_nothing(tiny, tmp_path, monkeypatch):
    options = {"sampling": Sampling(per_photo=7), "progress": False}
    whole = harvest(tiny, "conv2", SOME, out=tmp_path / "whole", **options)
    read = module.read_ahead

    def stopped(*args, **given):
        for index, batch in enumerate(read(*args, **given)):
            if index == 2:
                raise KeyboardInterrupt
            yield batch

    with monkeypatch.context() as patch:
        patch.setattr(module, "read_ahead", stopped)
        with pytest.raises(KeyboardInterrupt):
            harvest(tiny, "conv2", SOME, out=tmp_path / "stopped", **options)
    resumed = harvest(tiny, "conv2", SOME, out=tmp_path / "stopped", **options)
    assert all(map(np.array_equal, contents(whole), contents(resumed)))
    assert resumed.attributes["norms"] == whole.attributes["norms"]
    # Finished: photographs are not read again.
    monkeypatch.setattr(module, "read_ahead", None)
    with pytest.raises(TypeError):
        harvest(tiny, "conv2", SOME, out=tmp_path / "new", **options)
    harvest(tiny, "conv2", SOME, out=tmp_path / "whole", **options)


def test_unreadable_photos_are_named_and_have_no_rows(tiny, tmp_path):
    folder = make_folder(tmp_path / "photos", SOME[:30], broken=(0, 19))
    store = harvest(tiny, "fc", folder, out=tmp_path / "a", sampling=Sampling(), progress=False)
    assert set(store.faults()) == {"0", "19"}
    assert store.rows(TRAIN) == 26 and store.rows(HELD_OUT) == 2


def test_high_norms_are_left_out_where_asked(tiny, tmp_path, monkeypatch):
    # Most positions exceed a hundredth of the median.
    monkeypatch.setattr("featviz.dictionaries.fitting.position_sampling.HIGH_NORM", 1.0)
    both = [
        harvest(tiny, "conv2", SOME[:8], out=tmp_path / str(kept), sampling=Sampling(high_norms=kept), progress=False)
        for kept in (True, False)
    ]
    norms = both[0].attributes["norms"]
    assert norms == both[1].attributes["norms"] and norms["high"] == norms["seen"] // 2
    assert both[0].rows(TRAIN) == norms["seen"] == 2 * both[1].rows(TRAIN)


def test_what_does_not_fit_is_refused(tiny, tmp_path):
    options = {"sampling": Sampling(), "progress": False}
    harvest(tiny, "fc", SOME[:8], out=tmp_path / "a", **options)
    refused("other layer, fc in place of conv2", harvest, tiny, "conv2", SOME[:8], out=tmp_path / "a", **options)
    refused("no layer `conv9`", harvest, tiny, "conv9", SOME[:8], out=tmp_path / "b", **options)
    broken = make_folder(tmp_path / "broken", SOME[:2], broken=(0, 1))
    refused("none of 2 images can be read", harvest, tiny, "fc", broken, out=tmp_path / "c", **options)
    refused("`positions` is 0", Sampling, per_photo=0)
    refused("`positions` is -5", Sampling, per_photo=-5)


def test_activations_of_other_images_are_not_reused(tiny, tmp_path):
    options = {"sampling": Sampling(), "progress": False}
    says = "activations with other images, those of digest"
    harvest(tiny, "fc", SOME[:20], out=tmp_path / "a", **options)
    harvest(tiny, "fc", list(SOME[:20]), out=tmp_path / "a", **options)
    for others in (SOME[20:40], SOME[:21], iter(SOME[1:20])):
        refused(says, harvest, tiny, "fc", others, out=tmp_path / "a", **options)
    folder = make_folder(tmp_path / "photos", SOME[:5])
    harvest(tiny, "fc", folder, out=tmp_path / "b", **options)
    (folder / "0000.png").rename(folder / "9999.png")
    refused(says, harvest, tiny, "fc", folder, out=tmp_path / "b", **options)


def test_images_that_come_once_are_all_harvested(tiny, tmp_path):
    options = {"sampling": Sampling(per_photo=3), "progress": False}
    stores = [
        harvest(tiny, "conv2", given, out=tmp_path / name, **options)
        for name, given in (("a", SOME), ("b", iter(SOME)))
    ]
    assert all(map(np.array_equal, *map(contents, stores)))


def test_a_seed_matters_only_where_positions_are_drawn(tiny, tmp_path):
    def run(name, **sampling):
        return harvest(tiny, "conv2", SOME[:4], out=tmp_path / name, sampling=Sampling(**sampling), progress=False)

    assert run("all", seed=0).rows(TRAIN) == run("all", seed=1).rows(TRAIN)
    run("drawn", per_photo=3, seed=0)
    refused("other sampling", run, "drawn", per_photo=3, seed=1)


def test_activations_of_another_input_are_not_reused(tiny, tmp_path):
    options = {"out": tmp_path / "a", "sampling": Sampling(), "progress": False}
    harvest(tiny, "fc", SOME[:8], **options)
    other = replace(tiny, input=replace(tiny.input, scale=255.0))
    refused("activations with other input, scale 1.0", harvest, other, "fc", SOME[:8], **options)
