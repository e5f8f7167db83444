"""A step: rows stay of length 1, dead latents revive, penalties follow how many fire, Adam as optax has it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.planted_dictionaries import planted

from featviz.dictionaries.fitting.sae_step import SaeSettings, default_rate, init_sae, sae_step, scheduled_rate
from featviz.dictionaries.fitting.trained_kinds import TRAINED

INPUTS = jnp.asarray(planted(64)[1])


def settings_of(kind="batch_topk", **changes):
    chosen = {"latents": 40, "k": 3, "steps": 100, "batch": 64, "rate": 1e-2, "dead_after": 10**6, "seed": 0}
    return SaeSettings(kind=kind, units=INPUTS.shape[1], **{**chosen, **changes})


def run(settings, steps, state=None):
    step = jax.jit(lambda state, inputs: sae_step(state, inputs, settings))
    state = init_sae(INPUTS, settings) if state is None else state
    for _ in range(steps):
        state, figures = step(state, INPUTS)
    return state, figures


def test_the_rate_follows_the_number_of_latents_and_is_higher_where_latents_are_selected():
    assert default_rate("gated", 2**12) == pytest.approx(2 * default_rate("gated", 2**14)) == pytest.approx(0.0012)
    assert default_rate("batch_topk", 2**12) == pytest.approx(4 * default_rate("gated", 2**12))
    assert default_rate("matryoshka", 4) == default_rate("topk", 64) == 0.01


@pytest.mark.parametrize("kind", TRAINED)
def test_the_error_falls_and_rows_have_length_one(kind):
    settings = settings_of(kind)
    state, last = run(settings, 30)
    _, first = run(settings, 1)
    assert float(last.unexplained) < 0.8 * float(first.unexplained)
    np.testing.assert_allclose(np.linalg.norm(state.parameters["decoder"], axis=1), 1, rtol=1e-5)
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(state))


def test_the_weight_of_a_penalty_follows_how_many_fire():
    for k, rises in ((1, True), (39, False)):
        settings = settings_of("relu", k=k)
        before = init_sae(INPUTS, settings).log_strength
        after, _ = run(settings, 3)
        assert (after.log_strength > before) == rises


def test_a_dead_latent_learns_what_the_others_leave():
    settings = settings_of(dead_after=100)
    start = init_sae(INPUTS, settings)
    # Its pre-activations are too small for the latent to be kept anywhere.
    parameters = {**start.parameters, "encoder": start.parameters["encoder"].at[:, 0].multiply(0.01)}
    start = start._replace(parameters=parameters, silent=start.silent.at[0].set(100))
    moved = {}
    for name, limit in (("revived", 100), ("left", 10**6)):
        state, figures = run(settings_of(dead_after=limit), 1, start)
        moved[name] = float(jnp.abs(state.parameters["encoder"][:, 0] - start.parameters["encoder"][:, 0]).max())
        assert int(figures.dead) == (1 if limit == 100 else 0)
    assert moved["left"] == 0 < moved["revived"]


def test_silence_is_counted_in_positions():
    state, _ = run(settings_of(k=1), 2)
    silent = np.asarray(state.silent)
    assert set(silent.tolist()) <= {0, 64, 128} and (silent == 0).any() and (silent > 0).any()


def test_the_rate_rises_and_falls():
    settings = settings_of(steps=1000, rate=2.0)
    rates = [float(scheduled_rate(step, settings)) for step in (0, 49, 500, 900, 999)]
    np.testing.assert_allclose(rates, [0.04, 2.0, 2.0, 1.0, 0.01], rtol=1e-5)
