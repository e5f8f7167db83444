"""Arrays by name, of an archive of NumPy's or of safetensors, and scikit-learn's models exported in one line.

`W_enc` (units, latents), `W_dec` (latents, units), `b_enc`, `b_dec`, and `threshold` or `k`; Gemma Scope's `params.npz`
is of this kind. Of scikit-learn, `kind` and the fitted attributes, with or without their underscore; see
`docs/dictionaries.md`. One array alone has a concept vector in each row.
"""

from collections.abc import Callable, Mapping

import numpy as np

from featviz.dictionaries.dictionary import Dictionary, DictionaryRecord
from featviz.dictionaries.formats.autoencoder_arrays import (
    autoencoder_fields,
    batch_topk_sae,
    jump_relu_sae,
    relu_sae,
    take,
    take_rows,
    topk_sae,
)
from featviz.dictionaries.formats.contents import EXPECTED, Contents
from featviz.dictionaries.formats.hints import Hints
from featviz.dictionaries.kinds import (
    Code,
    ConceptVectors,
    IndependentComponents,
    KMeans,
    NonnegativeFactors,
    principal_components,
)
from featviz.dictionaries.normalizations import Identity
from featviz.errors import FeatvizError, suggest

Arrays = Mapping[str, np.ndarray]


def recognizes(contents: Contents) -> bool:
    """Whether there are arrays at all: this is the format of whatever has no other."""
    return bool(contents.arrays)


def read(contents: Contents, hints: Hints) -> Dictionary:
    """The dictionary of a file of this format."""
    arrays = {name.rstrip("_"): array for name, array in contents.arrays.items()}
    if len(arrays) < len(contents.arrays):
        twice = next(name for name in contents.arrays if name.endswith("_") and name.rstrip("_") in contents.arrays)
        raise FeatvizError(f"it holds `{twice}` and `{twice.rstrip('_')}`; expected one of them")
    kind = str(contents.values.get("kind", contents.metadata.get("kind", hints.kind or "")))
    folded = kind.lower().replace("_", "")
    normalization = Identity() if hints.normalization is None else hints.normalization
    record = DictionaryRecord(format="scikit-learn" if folded in MODELS and folded != "concepts" else "arrays")
    if {"W_enc", "W_dec"} & set(arrays):
        code = _autoencoder(arrays, hints)
    elif folded in MODELS:
        code = MODELS[folded](arrays)
    elif set(arrays) in ({""}, {"vectors"}, {"vectors", "bias"}):
        code = _vectors(arrays)
    elif kind:
        raise FeatvizError(f"its kind is `{kind}`; {suggest(kind, NAMES)}")
    else:
        held = ", ".join(f"`{name}`" for name in list(arrays)[:6])
        raise FeatvizError(f"it holds {held}; expected {EXPECTED}")
    return Dictionary(code, normalization, record)


def _autoencoder(arrays: Arrays, hints: Hints) -> Code:
    fields = autoencoder_fields(
        take(arrays, "W_enc"),
        take(arrays, "W_dec"),
        encoder_bias=take(arrays, "b_enc") if "b_enc" in arrays else None,
        decoder_bias=take(arrays, "b_dec") if "b_dec" in arrays else None,
    )
    k = arrays.get("k") if hints.k is None else hints.k
    given = arrays.get("threshold") if hints.threshold is None else np.float32(hints.threshold)
    said = bool(arrays["centered"]) if hints.centered is None and "centered" in arrays else hints.centered
    centered = said is not False
    # A kind that the user gives is what it is, whatever else the file holds.
    if hints.kind == "batch_topk" or (hints.kind is None and given is not None and k is not None):
        return batch_topk_sae(fields, centered=centered, k=k, threshold=given)
    if hints.kind == "jump_relu" or (hints.kind is None and given is not None):
        # As Gemma Scope means it.
        threshold = None if given is None else np.asarray(given, np.float32)
        return jump_relu_sae(fields, centered=bool(said), threshold=threshold)
    if hints.kind == "topk" or (hints.kind is None and k is not None):
        return topk_sae(fields, centered=centered, k=k)
    if hints.kind not in (None, "relu"):
        raise FeatvizError(f"`kind` is `{hints.kind}`; expected relu, topk, batch_topk or jump_relu for such arrays")
    return relu_sae(fields, centered=centered)


def _vectors(arrays: Arrays) -> Code:
    name = next((name for name in ("", "vectors", "coef") if name in arrays), "vectors")
    single = name in arrays and arrays[name].ndim == 1
    vectors = take_rows({**arrays, name: arrays[name][None]} if single else arrays, name)
    bias = np.ravel(arrays.get("bias", arrays.get("intercept", np.zeros(len(vectors))))).astype(np.float32)
    return ConceptVectors(vectors=vectors, bias=bias)


def _principal(arrays: Arrays) -> Code:
    whitened = bool(np.any(arrays.get("whiten", np.array(False))))
    deviations = np.sqrt(take(arrays, "explained_variance")) if whitened else None
    components = take_rows(arrays, "components")
    return principal_components(components, take(arrays, "mean"), deviations=deviations)


def _independent(arrays: Arrays) -> Code:
    return IndependentComponents(
        mean=take(arrays, "mean"), encoder=take_rows(arrays, "components").T, decoder=take_rows(arrays, "mixing").T
    )


def _factors(arrays: Arrays) -> Code:
    l1, l2 = (np.asarray(arrays.get(name, 0.0), np.float32).reshape(()) for name in ("l1", "l2"))
    return NonnegativeFactors(components=take_rows(arrays, "components"), l1=l1, l2=l2)


def _centers(arrays: Arrays) -> Code:
    return KMeans(centers=take_rows(arrays, "cluster_centers" if "cluster_centers" in arrays else "centers"))


def _probe(arrays: Arrays) -> Code:
    take(arrays, "coef")
    return _vectors(arrays)


# scikit-learn's classes, and our own kinds, in lower case without underscores.
MODELS: Mapping[str, Callable[[Arrays], Code]] = {
    "pca": _principal,
    "incrementalpca": _principal,
    "fastica": _independent,
    "ica": _independent,
    "nmf": _factors,
    "minibatchnmf": _factors,
    "kmeans": _centers,
    "minibatchkmeans": _centers,
    "logisticregression": _probe,
    "linearsvc": _probe,
    "sgdclassifier": _probe,
    "ridgeclassifier": _probe,
    "linearregression": _probe,
    "ridge": _probe,
    "concepts": _vectors,
}
NAMES = ("PCA", "FastICA", "NMF", "KMeans", "LogisticRegression", "LinearSVC", "concepts")
