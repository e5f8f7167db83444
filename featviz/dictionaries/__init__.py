"""A layer's activations in another basis: sparse autoencoders, NMF, PCA, k-means, probes and concept vectors."""

from featviz.dictionaries.dictionary import Dictionary, DictionaryRecord
from featviz.dictionaries.dictionary_files import read_dictionary, save_dictionary
from featviz.dictionaries.formats.load_dictionary import load_dictionary
from featviz.dictionaries.kinds import KINDS, Code
from featviz.dictionaries.normalizations import (
    NORMALIZATIONS,
    ConstantNorm,
    Identity,
    LayerNorm,
    Normalization,
    Standardized,
)

__all__ = [
    "KINDS",
    "NORMALIZATIONS",
    "Code",
    "ConstantNorm",
    "Dictionary",
    "DictionaryRecord",
    "Identity",
    "LayerNorm",
    "Normalization",
    "Standardized",
    "load_dictionary",
    "read_dictionary",
    "save_dictionary",
]
