"""Activations that are sparse sums of known directions, in a store as a harvest leaves it."""

import numpy as np

from featviz.dictionaries.fitting.activation_store import HELD_OUT, TRAIN, Positions, create_activations

UNITS, FEATURES, FIRING = 16, 20, 2


def planted(rows, *, seed=0, units=UNITS, features=FEATURES, firing=FIRING):
    """Directions of length 1, and activations of which each has about `firing` of them, around a mean."""
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(features, units))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    weights = (rng.random((rows, features)) < firing / features) * rng.uniform(1, 2, (rows, features))
    return directions, (weights @ directions + 3 * rng.normal(size=units)).astype(np.float32)


def positions_of(values):
    """Activations as those of one position of as many photographs."""
    return Positions(values, np.arange(len(values), dtype=np.int32), np.zeros(len(values), np.int32))


def make_store(path, values, held_out=None):
    """A finished store of activations."""
    store = create_activations(path, {"layer": "planted", "sampling": {}}, values.shape[1])
    parts = {TRAIN: positions_of(values), HELD_OUT: positions_of(values[:0] if held_out is None else held_out)}
    store.append(parts, len(values), {"total": len(values)})
    return store
