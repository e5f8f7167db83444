"""Files of overcomplete: modules that were saved whole, or their state dicts. Semantics: `overcomplete/sae/*.py`.

The encoder is linear, with batch normalization or without, and is folded to one matrix. What the class of a module
says, k and the running threshold of BatchTopK, is not in a state dict.
"""

from collections.abc import Mapping

import numpy as np

from featviz.dictionaries.dictionary import Dictionary, DictionaryRecord
from featviz.dictionaries.formats.autoencoder_arrays import (
    Fields,
    autoencoder_fields,
    batch_topk_sae,
    jump_relu_sae,
    relu_sae,
    take,
    topk_sae,
)
from featviz.dictionaries.formats.contents import Contents
from featviz.dictionaries.formats.hints import Hints
from featviz.dictionaries.kinds import ArchetypalSae, SparseAutoencoder
from featviz.dictionaries.normalizations import Identity
from featviz.errors import FeatvizError

WEIGHTS, MIXTURE, POINTS = "dictionary._weights", "dictionary.W", "dictionary.C"
# The classes whose names end so, and the kind of each.
CLASSES = {"BatchTopKSAE": "batch_topk", "TopKSAE": "topk", "JumpSAE": "jump_relu", "SAE": "relu"}
# PyTorch's own, of BatchNorm1d.
EPS = 1e-5


def recognizes(contents: Contents) -> bool:
    """Whether a file is of this format."""
    return WEIGHTS in contents.arrays or MIXTURE in contents.arrays


def read(contents: Contents, hints: Hints) -> Dictionary:
    """The dictionary of a file of this format."""
    arrays, values = contents.arrays, contents.values
    decoder = _archetypes(arrays, values) if MIXTURE in arrays else _rows(arrays, values)
    weight, bias = _encoder(arrays, decoder)
    fields = autoencoder_fields(weight, decoder, encoder_bias=bias)
    code = _code(fields, arrays, values, hints)
    record = DictionaryRecord(format="overcomplete")
    normalization = Identity() if hints.normalization is None else hints.normalization
    if MIXTURE not in arrays:
        return Dictionary(code, normalization, record)
    archetypal = ArchetypalSae(
        autoencoder=code,
        mixture=_mixture(arrays),
        points=take(arrays, POINTS),
        relaxation=_relaxation(arrays, values),
        log_scale=_log_scale(arrays),
    )
    return Dictionary(archetypal, normalization, record)


def _code(
    fields: Fields, arrays: Mapping[str, np.ndarray], values: Mapping[str, object], hints: Hints
) -> SparseAutoencoder:
    kind = hints.kind or _kind(arrays, values)
    centered = bool(hints.centered)
    k = hints.k if hints.k is not None else values.get("top_k")
    if kind == "jump_relu":
        return jump_relu_sae(fields, centered=centered, threshold=np.exp(take(arrays, "thresholds")))
    if kind == "topk":
        return topk_sae(fields, centered=centered, k=k)
    if kind == "batch_topk":
        running = arrays.get("running_threshold", values.get("running_threshold"))
        threshold = running if hints.threshold is None else hints.threshold
        # The library's `top_k` is of a whole batch, whose size it does not say.
        return batch_topk_sae(fields, centered=centered, k=hints.k, threshold=threshold)
    if kind == "relu":
        return relu_sae(fields, centered=centered)
    raise FeatvizError(f"`kind` is `{kind}`; expected relu, topk, batch_topk or jump_relu for a file of overcomplete")


def _kind(arrays: Mapping[str, np.ndarray], values: Mapping[str, object]) -> str:
    if "thresholds" in arrays:
        return "jump_relu"
    saved = str(values.get("", "")).rpartition(".")[2]
    if saved:
        known = saved.removeprefix("RA")
        if known not in CLASSES:
            raise FeatvizError(f"its class is `{saved}`, which is not read; expected {', '.join(CLASSES)}")
        return CLASSES[known]
    raise FeatvizError(
        "it is a state dict of overcomplete, which does not say its class; expected `kind` (relu, topk with `k`, or "
        "batch_topk with `threshold`), or the module saved whole"
    )


def _encoder(arrays: Mapping[str, np.ndarray], decoder: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """The encoder's matrix, (units, latents), and its bias."""
    if "encoder.weight" in arrays:
        return take(arrays, "encoder.weight").T, take(arrays, "encoder.bias") if "encoder.bias" in arrays else None
    hidden = sorted(name for name in arrays if name.startswith("encoder.mlp_blocks."))
    if hidden or any(name.startswith("encoder.") and "final_block" not in name for name in arrays):
        if not hidden and {name for name in arrays if name.startswith("encoder.")} <= {"encoder.bias"}:
            return decoder.T, take(arrays, "encoder.bias")
        raise FeatvizError("its encoder has hidden layers; expected a linear one, with batch normalization or without")
    if "encoder.final_block.0.weight" not in arrays:
        # Tied: the encoder has no weights of its own.
        return decoder.T, None
    weight, bias = take(arrays, "encoder.final_block.0.weight"), take(arrays, "encoder.final_block.0.bias")
    norm = "encoder.final_block.1."
    if norm + "weight" in arrays:
        if norm + "running_var" not in arrays:
            raise FeatvizError("its encoder has layer normalization; expected batch normalization or none")
        scale = take(arrays, norm + "weight") / np.sqrt(take(arrays, norm + "running_var") + np.float32(EPS))
        weight = weight * scale[:, None]
        bias = (bias - take(arrays, norm + "running_mean")) * scale + take(arrays, norm + "bias")
    return weight.T, bias


def _rows(arrays: Mapping[str, np.ndarray], values: Mapping[str, object]) -> np.ndarray:
    rows = take(arrays, WEIGHTS)
    given = values.get("dictionary.normalization", "overcomplete.sae.dictionary.normalize_l2")
    name = str(given).rpartition(".")[2].removeprefix("normalize_")
    order = 1 if name.endswith("l1") else 2
    lengths = np.linalg.norm(rows, ord=order, axis=1, keepdims=True)
    if name in ("l2", "l1"):
        rows = rows / (lengths + 1e-8)
    elif name in ("max_l2", "max_l1"):
        rows = rows / lengths.max()
    elif name != "identity":
        raise FeatvizError(f"its directions are normalized by `{name}`; expected l2, max_l2, l1, max_l1 or identity")
    return (rows * np.exp(_log_scale(arrays))).astype(np.float32)


def _archetypes(arrays: Mapping[str, np.ndarray], values: Mapping[str, object]) -> np.ndarray:
    directions = _mixture(arrays) @ take(arrays, POINTS) + _relaxation(arrays, values)
    return (directions * np.exp(_log_scale(arrays))).astype(np.float32)


def _mixture(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    positive = np.maximum(take(arrays, MIXTURE), 0)
    return positive / (positive.sum(axis=1, keepdims=True) + np.float32(1e-8))


def _relaxation(arrays: Mapping[str, np.ndarray], values: Mapping[str, object]) -> np.ndarray:
    relaxation = take(arrays, "dictionary.Relax")
    delta = values.get("dictionary.delta")
    if delta is None:
        # A state dict does not say how far it may go. Each step of the training held it there.
        return relaxation
    lengths = np.linalg.norm(relaxation, axis=1, keepdims=True)
    limit = np.float32(float(str(delta)))
    return (relaxation * np.minimum(limit / np.maximum(lengths, 1e-30), 1)).astype(np.float32)


def _log_scale(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    return take(arrays, "dictionary.multiplier") if "dictionary.multiplier" in arrays else np.array(0, np.float32)
