"""Figures of a fit, against numpy."""

import numpy as np
import pytest
from support.planted_dictionaries import make_store, planted

from featviz.dictionaries.dictionary import Dictionary
from featviz.dictionaries.fitting import fit_report as module
from featviz.dictionaries.fitting.fit_report import BATCH, measure_fit, report_fit
from featviz.dictionaries.kinds import ReluSae

DIRECTIONS, VALUES = planted(3000)
CODE = ReluSae(
    encoder=DIRECTIONS.T.astype(np.float32),
    encoder_bias=np.full(len(DIRECTIONS), -0.8, np.float32),
    decoder=DIRECTIONS.astype(np.float32),
    decoder_bias=VALUES.mean(axis=0),
)


def expected():
    x = VALUES.astype(np.float64)
    latents = np.maximum((x - CODE.decoder_bias) @ DIRECTIONS.T - 0.8, 0)
    errors = np.square(x - latents @ DIRECTIONS - CODE.decoder_bias).sum()
    return 1 - errors / np.square(x - x.mean(axis=0)).sum(), (latents > 0).mean(axis=0)


def test_against_numpy():
    report = measure_fit(Dictionary(CODE), [VALUES[:BATCH], VALUES[BATCH:]])
    explained, density = expected()
    assert report.positions == 3000
    assert report.explained_variance == pytest.approx(explained, abs=1e-4)
    np.testing.assert_allclose(report.density, density, atol=1e-3)
    assert report.l0 == pytest.approx(report.density.sum()) and report.dead == np.mean(report.density == 0)


def test_held_out_positions_are_measured_where_there_are_any(tmp_path):
    store = make_store(tmp_path / "a", VALUES[:2000], VALUES[2000:])
    assert report_fit(Dictionary(CODE), store).positions == 1000
    store = make_store(tmp_path / "b", VALUES[:2000])
    assert report_fit(Dictionary(CODE), store).positions == 2000


def test_the_histogram_counts_every_latent():
    quiet = ReluSae(**{**CODE.__dict__, "encoder_bias": np.where(np.arange(20) < 5, -99, -0.8).astype(np.float32)})
    report = measure_fit(Dictionary(quiet), [VALUES[:1000]])
    counts = dict(report.histogram)
    assert counts["never"] == 5 and sum(counts.values()) == 20 and report.dead == 0.25
    assert "never: 5, " in report.lines[-1] and report.histogram[-1][0] == "32 to 100 %"


def test_a_dictionary_of_something_else_explains_nothing():
    report = measure_fit(Dictionary(CODE), [100 + VALUES[:500]])
    assert report.explained_variance < 0


def test_what_is_measured_is_spread_over_the_positions(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 100)
    monkeypatch.setattr(module, "MAX_MEASURED", 300)
    store = make_store(tmp_path / "a", VALUES[:10], VALUES[:950])
    read = []
    monkeypatch.setattr(module, "measure_fit", lambda dictionary, batches: read.extend(batches))
    report_fit(Dictionary(CODE), store)
    np.testing.assert_array_equal(
        np.concatenate(read), np.concatenate([VALUES[:100], VALUES[400:500], VALUES[900:950]])
    )
