"""Sparse autoencoders of the arrays that files hold, with errors that name what is missing."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from featviz.dictionaries.kinds import (
    BatchTopKSae,
    GatedSae,
    JumpReluSae,
    MatryoshkaSae,
    ReluSae,
    SparseAutoencoder,
    TopKSae,
)
from featviz.errors import FeatvizError, suggest

Arrays = Mapping[str, np.ndarray]
Fields = dict[str, np.ndarray]


def take(arrays: Arrays, name: str) -> np.ndarray:
    """An array of a file in single precision.

    Raises:
      FeatvizError: if the file lacks it, or it is not of real numbers.

    >>> take({"W_enc": np.ones(2, np.float16)}, "W_enc").dtype
    dtype('float32')
    """
    if name not in arrays:
        raise FeatvizError(f"it lacks `{name}`; {suggest(name, arrays)}")
    found = np.asarray(arrays[name])
    if found.dtype.kind not in "fiub":
        raise FeatvizError(f"its `{name}` is of {found.dtype}; expected real numbers")
    # Numbers that are too large become infinite, which is refused with the finished dictionary.
    with np.errstate(over="ignore"):
        return found.astype(np.float32)


def take_rows(arrays: Arrays, name: str) -> Float[np.ndarray, "latents units"]:
    """An array of a file with a latent in each row.

    Raises:
      FeatvizError: if the file lacks it, or it is of other numbers of axes, or empty.

    >>> take_rows({"centers": np.ones((2, 3))}, "centers").shape
    (2, 3)
    """
    rows = take(arrays, name)
    if rows.ndim != 2 or not rows.size:
        raise FeatvizError(
            f"its `{name or 'array'}` has shape {rows.shape}; expected (latents, units), one or more of each"
        )
    return rows


def autoencoder_fields(
    encoder: Float[np.ndarray, "units latents"],
    decoder: Float[np.ndarray, "latents units"],
    *,
    encoder_bias: Float[np.ndarray, " latents"] | None = None,
    decoder_bias: Float[np.ndarray, " units"] | None = None,
) -> Fields:
    """The fields that all sparse autoencoders share; a bias that a file lacks is 0.

    Raises:
      FeatvizError: if encoder and decoder are not of transposed shapes, or are empty.
    """
    if encoder.ndim != 2 or decoder.ndim != 2 or encoder.shape != decoder.shape[::-1]:
        raise FeatvizError(
            f"its encoder has shape {encoder.shape} and its decoder {decoder.shape}; expected (units, latents) and "
            "(latents, units)"
        )
    units, latents = encoder.shape
    if not units or not latents:
        raise FeatvizError(f"it has {units} units and {latents} latents; expected one or more of each")
    return {
        "encoder": encoder,
        "encoder_bias": np.zeros(latents, np.float32) if encoder_bias is None else encoder_bias,
        "decoder": decoder,
        "decoder_bias": np.zeros(units, np.float32) if decoder_bias is None else decoder_bias,
    }


def check_widths(fields: Fields, config: Mapping[str, Any], *, units: str, latents: str) -> None:
    """Raises FeatvizError where a configuration says another width than the arrays have.

    Args:
      fields: of the autoencoder.
      config: what stands beside the arrays.
      units: its name for the number of units.
      latents: its name for the number of latents.

    >>> fields = autoencoder_fields(np.ones((2, 3), np.float32), np.ones((3, 2), np.float32))
    >>> check_widths(fields, {"d_in": 4}, units="d_in", latents="d_sae")
    Traceback (most recent call last):
    ...
    featviz.errors.FeatvizError: its configuration says `d_in` 4, its arrays have 2; expected those of one dictionary
    """
    for name, found in zip((units, latents), fields["encoder"].shape, strict=True):
        said = config.get(name)
        if type(said) is int and said != found:
            raise FeatvizError(
                f"its configuration says `{name}` {said}, its arrays have {found}; expected those of one dictionary"
            )


def fold_decoder_norms(fields: Fields, *, floor: float = 1e-8) -> Float[np.ndarray, " latents"]:
    """Gives the decoder's rows length 1, in place, and its latents their lengths; returns these.

    >>> fields = autoencoder_fields(np.ones((1, 1), np.float32), np.full((1, 1), 2, np.float32))
    >>> fold_decoder_norms(fields).tolist(), fields["encoder"].tolist(), fields["decoder"].tolist()
    ([2.0], [[2.0]], [[1.0]])
    """
    lengths = np.maximum(np.linalg.norm(fields["decoder"], axis=1), floor).astype(np.float32)
    fields["decoder"] = fields["decoder"] / lengths[:, None]
    fields["encoder"] = fields["encoder"] * lengths
    fields["encoder_bias"] = fields["encoder_bias"] * lengths
    return lengths


def relu_sae(fields: Fields, *, centered: bool) -> ReluSae:
    """The ReLU autoencoder of these fields."""
    return ReluSae(**fields, centered=centered)


def topk_sae(fields: Fields, *, centered: bool, k: object, signed: bool = False, magnitudes: bool = False) -> TopKSae:
    """The TopK autoencoder of these fields.

    Raises:
      FeatvizError: if the file does not say k.
    """
    return TopKSae(**fields, centered=centered, k=as_k(k), signed=signed, magnitudes=magnitudes)


def batch_topk_sae(fields: Fields, *, centered: bool, k: object, threshold: object) -> BatchTopKSae:
    """The BatchTopK autoencoder of these fields.

    Raises:
      FeatvizError: if the file has no fitted threshold, or one for each latent.
    """
    if threshold is not None and np.size(np.asarray(threshold)) != 1:
        raise FeatvizError(
            f"it is a BatchTopK dictionary with {np.size(np.asarray(threshold))} thresholds; expected one, or `kind` "
            "jump_relu"
        )
    if threshold is None or not float(np.max(np.asarray(threshold))) >= 0:
        found = "no threshold" if threshold is None else f"the threshold {float(np.max(np.asarray(threshold))):g}"
        raise FeatvizError(
            f"it is a BatchTopK dictionary with {found}; expected the `threshold` that its training fitted, the mean "
            "of the smallest latents that were kept"
        )
    value = np.asarray(threshold, np.float32).reshape(-1)[0].reshape(())
    mean = 0 if k is None else as_k(k)
    return BatchTopKSae(**fields, centered=centered, k=mean, threshold=value)


def jump_relu_sae(fields: Fields, *, centered: bool, threshold: np.ndarray | None) -> JumpReluSae:
    """The JumpReLU autoencoder of these fields; one threshold stands for all latents.

    Raises:
      FeatvizError: if the file has no thresholds.
    """
    if threshold is None:
        raise FeatvizError("it is a JumpReLU dictionary without `threshold`; expected one for each latent")
    latents = fields["encoder"].shape[1]
    thresholds = np.broadcast_to(threshold, (latents,)) if np.size(threshold) == 1 else threshold
    return JumpReluSae(**fields, centered=centered, threshold=np.array(thresholds, np.float32))


def gated_sae(
    fields: Fields, *, centered: bool, magnitude: np.ndarray, gate_bias: np.ndarray, magnitude_bias: np.ndarray
) -> GatedSae:
    """The gated autoencoder of these fields."""
    with_bias = {**fields, "encoder_bias": magnitude_bias}
    return GatedSae(**with_bias, centered=centered, magnitude=magnitude, gate_bias=gate_bias)


def matryoshka_sae(autoencoder: SparseAutoencoder, widths: object) -> MatryoshkaSae:
    """A Matryoshka autoencoder of ascending widths, the last of which is that of all latents.

    Raises:
      FeatvizError: if the widths do not ascend to the number of latents.
    """
    latents = autoencoder.latents
    ends = [int(width) for width in np.ravel(np.asarray(widths))]
    ends = ends if ends and ends[-1] == latents else [*ends, latents]
    groups = tuple(int(size) for size in np.diff([0, *ends]))
    if min(groups) < 1:
        raise FeatvizError(f"its Matryoshka widths are {ends}; expected widths that ascend to {latents}")
    return MatryoshkaSae(autoencoder=autoencoder, groups=groups)


def as_k(k: object) -> int:
    """How many latents a TopK keeps.

    Raises:
      FeatvizError: if it is missing, no number, or below 1.
    """
    if k is None:
        raise FeatvizError("it is a TopK dictionary and does not say its k; expected `k`")
    try:
        (given,) = np.asarray(k, np.float64).reshape(-1).tolist()
        count = round(given)
    except (ValueError, TypeError, OverflowError):
        raise FeatvizError(f"its k is `{' '.join(str(k).split())[:40]}`; expected a whole number from 1") from None
    if count < 1:
        raise FeatvizError(f"its k is {count}; expected 1 or more")
    return count
