"""Dictionaries of each kind with drawn arrays, and numpy's own account of their latents."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from featviz.dictionaries.kinds import (
    ArchetypalSae,
    BatchTopKSae,
    Code,
    ConceptVectors,
    GatedSae,
    IndependentComponents,
    JumpReluSae,
    KMeans,
    MatryoshkaSae,
    NonnegativeFactors,
    ReluSae,
    TopKSae,
    principal_components,
)

UNITS, LATENTS = 6, 9
Arrays = dict[str, np.ndarray]


class Drawn(NamedTuple):
    """A code, and what numpy makes of inputs by the formula of the literature."""

    code: Code
    encode: Callable[[np.ndarray], np.ndarray]
    decode: Callable[[np.ndarray], np.ndarray]


def draw_autoencoder(rng: np.random.Generator, *, units: int = UNITS, latents: int = LATENTS) -> Arrays:
    """The arrays of a sparse autoencoder."""

    def draw(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    return {
        "encoder": draw(units, latents),
        "encoder_bias": draw(latents) / 4,
        "decoder": draw(latents, units),
        "decoder_bias": draw(units) / 4,
    }


def pre(arrays: Arrays, x: np.ndarray, *, centered: bool = True) -> np.ndarray:
    """The pre-activation by numpy."""
    return (x - arrays["decoder_bias"] * centered) @ arrays["encoder"] + arrays["encoder_bias"]


def largest(z: np.ndarray, k: int) -> np.ndarray:
    """The k largest of each row by numpy."""
    kept = np.zeros_like(z)
    order = np.argsort(-z, axis=-1)[..., :k]
    np.put_along_axis(kept, order, np.take_along_axis(z, order, -1), -1)
    return kept


def relu(z: np.ndarray) -> np.ndarray:
    """The ReLU by numpy."""
    return np.maximum(z, 0)


def draw_codes(seed: int) -> list[Drawn]:
    """A code of each kind."""
    rng = np.random.default_rng(seed)
    a = draw_autoencoder(rng)

    def decode(z: np.ndarray) -> np.ndarray:
        return z @ a["decoder"] + a["decoder_bias"]

    thresholds = rng.uniform(0, 1, LATENTS).astype(np.float32)
    magnitude, gate = (rng.normal(size=LATENTS).astype(np.float32) / 2 for _ in range(2))
    mixture = rng.dirichlet(np.ones(4), LATENTS).astype(np.float32)
    points = rng.normal(size=(4, UNITS)).astype(np.float32)
    relaxation = rng.normal(size=(LATENTS, UNITS)).astype(np.float32) / 10
    archetypal = ArchetypalSae(
        autoencoder=TopKSae(**a, k=3),
        mixture=mixture,
        points=points,
        relaxation=relaxation,
        log_scale=np.float32(0.3),
    ).with_decoder()
    atoms = (mixture @ points + relaxation) * np.exp(np.float32(0.3))
    basis = np.linalg.qr(rng.normal(size=(UNITS, UNITS)))[0].astype(np.float32)[:4]
    mean = rng.normal(size=UNITS).astype(np.float32)
    deviations = rng.uniform(0.5, 2, 4).astype(np.float32)
    mixing = np.linalg.pinv(a["encoder"][:, :4]).astype(np.float32)
    centers = a["decoder"]
    factors = np.abs(a["decoder"][:4])
    vectors, bias = a["decoder"][:3], a["encoder_bias"][:3]

    def nearest(x: np.ndarray) -> np.ndarray:
        distances = np.linalg.norm(x[..., None, :] - centers, axis=-1)
        return np.eye(LATENTS)[distances.argmin(-1)]

    def nonnegative(x: np.ndarray) -> np.ndarray:
        from scipy.optimize import nnls

        rows = [nnls(factors.T.astype(np.float64), row)[0] for row in x.reshape(-1, UNITS)]
        return np.reshape(rows, (*x.shape[:-1], len(factors)))

    def gated(x: np.ndarray) -> np.ndarray:
        p = (x - a["decoder_bias"]) @ a["encoder"]
        return (p + gate > 0) * relu(p * np.exp(magnitude) + a["encoder_bias"])

    def jump(x: np.ndarray) -> np.ndarray:
        return relu(pre(a, x, centered=False)) * (pre(a, x, centered=False) > thresholds)

    def batch(x: np.ndarray) -> np.ndarray:
        return relu(pre(a, x)) * (pre(a, x) > 0.5)

    batch_topk = BatchTopKSae(**a, threshold=np.float32(0.5), k=3)
    return [
        Drawn(ReluSae(**a), lambda x: relu(pre(a, x)), decode),
        Drawn(ReluSae(**a, centered=False), lambda x: relu(pre(a, x, centered=False)), decode),
        Drawn(TopKSae(**a, k=3), lambda x: largest(relu(pre(a, x)), 3), decode),
        Drawn(batch_topk, batch, decode),
        Drawn(JumpReluSae(**a, threshold=thresholds, centered=False), jump, decode),
        Drawn(GatedSae(**a, magnitude=magnitude, gate_bias=gate), gated, decode),
        Drawn(MatryoshkaSae(autoencoder=batch_topk, groups=(2, 3, 4)), batch, decode),
        Drawn(archetypal, lambda x: largest(relu(pre(a, x)), 3), lambda z: z @ atoms + a["decoder_bias"]),
        Drawn(
            principal_components(basis, mean, deviations=deviations),
            lambda x: (x - mean) @ basis.T / deviations,
            lambda z: (z * deviations) @ basis + mean,
        ),
        Drawn(
            IndependentComponents(mean=mean, encoder=a["encoder"][:, :4], decoder=mixing),
            lambda x: (x - mean) @ a["encoder"][:, :4],
            lambda z: z @ mixing + mean,
        ),
        Drawn(KMeans(centers=centers), nearest, lambda z: z @ centers),
        Drawn(
            NonnegativeFactors(components=factors, l1=np.float32(0), l2=np.float32(0)),
            nonnegative,
            lambda z: z @ factors,
        ),
        Drawn(
            ConceptVectors(vectors=vectors, bias=bias),
            lambda x: x @ vectors.T + bias,
            lambda z: (z - bias) @ np.linalg.pinv(vectors.T),
        ),
        Drawn(TopKSae(**a, k=3, signed=True), lambda x: largest(pre(a, x), 3), decode),
        Drawn(TopKSae(**a, k=3, magnitudes=True), lambda x: pre(a, x) * (largest(np.abs(pre(a, x)), 3) > 0), decode),
    ]
