"""Attribution methods by name, one file each. `METHODS` lists those that a command line can name."""

from featviz.attribution.methods.ablation import Ablation
from featviz.attribution.methods.base import Method, check_method
from featviz.attribution.methods.conductance import Conductance
from featviz.attribution.methods.gradient_times_activation import GradientTimesActivation
from featviz.attribution.methods.integrated_path import IntegratedPath
from featviz.attribution.methods.occlusion import Occlusion
from featviz.attribution.methods.relevance import Relevance

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        GradientTimesActivation(),
        IntegratedPath(),
        Conductance(),
        Relevance(),
        Occlusion(),
        Ablation(),
    )
}

__all__ = [
    "METHODS",
    "Ablation",
    "Conductance",
    "GradientTimesActivation",
    "IntegratedPath",
    "Method",
    "Occlusion",
    "Relevance",
    "check_method",
]
