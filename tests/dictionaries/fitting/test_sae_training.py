"""A training finds planted directions, and is bitwise the same with a stop."""

from dataclasses import replace

import numpy as np
import pytest
from support.planted_dictionaries import FIRING, UNITS, make_store, planted
from support.surveys import refused

from featviz.dictionaries.dictionary import Dictionary
from featviz.dictionaries.fitting import sae_training
from featviz.dictionaries.fitting.fit_report import measure_fit
from featviz.dictionaries.fitting.sae_step import SaeSettings
from featviz.dictionaries.fitting.sae_training import checkpoint_path, train_sae

DIRECTIONS, VALUES = planted(6000)
SETTINGS = SaeSettings("batch_topk", UNITS, 32, FIRING, 500, 256, 5e-3, 6000, 0)


@pytest.fixture
def store(tmp_path):
    return make_store(tmp_path / "a", VALUES)


def same(first, second):
    arrays = ("encoder", "encoder_bias", "decoder", "decoder_bias", "threshold")
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in arrays)


def test_planted_directions_are_found(store):
    code = train_sae(store, SETTINGS, progress=False)
    cosines = (np.asarray(code.directions) @ DIRECTIONS.T).max(axis=0)
    assert np.mean(cosines > 0.9) >= 0.8 and cosines.mean() > 0.94
    report = measure_fit(Dictionary(code), [VALUES[:2048]])
    assert report.explained_variance > 0.85 and abs(report.l0 - FIRING) < 0.3


def test_a_stop_changes_nothing(store, tmp_path, monkeypatch):
    short = replace(SETTINGS, steps=40)
    whole = train_sae(store, short, progress=False)
    batches = sae_training.shuffled_batches

    def stopped(*args, start=0, **options):
        for index, batch in enumerate(batches(*args, start=start, **options)):
            if index == 25:
                raise KeyboardInterrupt
            yield batch

    folder = tmp_path / "state"
    folder.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(sae_training, "shuffled_batches", stopped)
        with pytest.raises(KeyboardInterrupt):
            train_sae(store, short, checkpoints=folder, progress=False)
    assert checkpoint_path(folder, short).exists()
    assert same(train_sae(store, short, checkpoints=folder, progress=False), whole)
    # Finished: nothing is trained again.
    monkeypatch.setattr(sae_training, "sae_step", None)
    assert same(train_sae(store, short, checkpoints=folder, progress=False), whole)


def test_a_checkpoint_that_is_broken_is_named(store, tmp_path):
    path = checkpoint_path(tmp_path, SETTINGS)
    path.write_bytes(b"no checkpoint")
    refused(path.name, train_sae, store, SETTINGS, checkpoints=tmp_path, progress=False)


def test_activations_that_are_all_alike_are_refused(tmp_path):
    store = make_store(tmp_path / "a", np.ones((600, UNITS), np.float32))
    refused("are alike", train_sae, store, SETTINGS, progress=False)


def test_a_loss_that_is_not_finite_ends_it(store):
    wild = replace(SETTINGS, rate=1e30, kind="relu", steps=40)
    refused("expected a smaller `rate`", train_sae, store, wild, progress=False)
