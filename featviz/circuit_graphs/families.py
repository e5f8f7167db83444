"""Families of inputs: units that weigh in alike, by one-sided NMF of a unit's weights."""

import numpy as np
from jaxtyping import Float

from featviz.attribution.factorization import nmf
from featviz.circuit_graphs.circuit_parts import Family

# Units that are named of a family.
NAMED = 6


def find_families(layer: str, maps: Float[np.ndarray, "rows columns units"], count: int) -> tuple[Family, ...]:
    """The weights of one unit as few maps, each shared by a family of inputs.

    W[y, x, i] ~ sum_f s[i, f] (p[f, y, x] - n[f, y, x]) with all factors >= 0: the positive and the negative part of
    the weights stand side by side.

    References:
      Voss et al. 2021, Visualizing Weights.

    >>> maps = np.zeros((1, 2, 3)); maps[0, 0, 0] = maps[0, 0, 1] = 1; maps[0, 1, 2] = -2
    >>> sorted(family.units for family in find_families("conv", maps, 2))
    [(0, 1), (2,)]
    """
    rows, columns, units = maps.shape
    signed = maps.reshape(-1, units).T.astype(np.float64)
    count = min(count, units, 2 * signed.shape[1])
    if count < 1 or not signed.any():
        return ()
    sides = np.concatenate([np.maximum(signed, 0), np.maximum(-signed, 0)], axis=1)
    sides = sides / sides.max()
    shares, parts = nmf(sides, count)
    sizes = np.linalg.norm(shares, axis=0) * np.linalg.norm(parts, axis=1)
    order = [index for index in np.argsort(-sizes, kind="stable") if sizes[index] > 1e-6 * sizes.max()]
    shown = (parts[:, : rows * columns] - parts[:, rows * columns :]).reshape(-1, rows, columns)
    shown = shown * np.linalg.norm(shares, axis=0)[:, None, None]
    largest = float(np.abs(shown[order]).max()) or 1.0
    families = []
    for index in order:
        share = shares[:, index]
        top = [int(unit) for unit in np.argsort(-share, kind="stable")[:NAMED] if share[unit] > 0.05 * share.max()]
        direction = share / max(float(np.linalg.norm(share)), 1e-12)
        families.append(Family(layer, shown[index] / largest, direction.astype(np.float32), tuple(top)))
    return tuple(families)


def family_of(families: tuple[Family, ...], layer: str, unit: int) -> int | None:
    """The family that a unit is most in, or None."""
    shares = [
        family.direction[unit] * np.abs(family.map).max() if family.layer == layer else 0.0 for family in families
    ]
    return int(np.argmax(shares)) if shares and max(shares) > 0 else None
