"""The kinds of dictionaries, one file each."""

from collections.abc import Mapping
from types import MappingProxyType

from featviz.dictionaries.kinds.archetypal_sae import ArchetypalSae
from featviz.dictionaries.kinds.base import Code
from featviz.dictionaries.kinds.batch_topk_sae import BatchTopKSae
from featviz.dictionaries.kinds.concept_vectors import ConceptVectors
from featviz.dictionaries.kinds.gated_sae import GatedSae
from featviz.dictionaries.kinds.independent_components import IndependentComponents
from featviz.dictionaries.kinds.jump_relu_sae import JumpReluSae
from featviz.dictionaries.kinds.k_means import KMeans
from featviz.dictionaries.kinds.matryoshka_sae import MatryoshkaSae
from featviz.dictionaries.kinds.nonnegative_factors import NonnegativeFactors
from featviz.dictionaries.kinds.principal_components import PrincipalComponents, principal_components
from featviz.dictionaries.kinds.relu_sae import ReluSae
from featviz.dictionaries.kinds.sparse_autoencoder import SparseAutoencoder
from featviz.dictionaries.kinds.topk_sae import TopKSae

# By the name that files and the command line have for them.
KINDS: Mapping[str, type[Code]] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            ReluSae,
            TopKSae,
            BatchTopKSae,
            JumpReluSae,
            GatedSae,
            MatryoshkaSae,
            ArchetypalSae,
            NonnegativeFactors,
            PrincipalComponents,
            IndependentComponents,
            KMeans,
            ConceptVectors,
        )
    }
)

__all__ = [
    "KINDS",
    "ArchetypalSae",
    "BatchTopKSae",
    "Code",
    "ConceptVectors",
    "GatedSae",
    "IndependentComponents",
    "JumpReluSae",
    "KMeans",
    "MatryoshkaSae",
    "NonnegativeFactors",
    "PrincipalComponents",
    "ReluSae",
    "SparseAutoencoder",
    "TopKSae",
    "principal_components",
]
