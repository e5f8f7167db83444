"""Which units and positions of a network made a decision, and what changes when they are changed."""

from featviz.attribution.methods import (
    METHODS,
    Ablation,
    Conductance,
    GradientTimesActivation,
    IntegratedPath,
    Method,
    Occlusion,
    Relevance,
)

__all__ = [
    "METHODS",
    "Ablation",
    "Conductance",
    "GradientTimesActivation",
    "IntegratedPath",
    "Method",
    "Occlusion",
    "Relevance",
]
