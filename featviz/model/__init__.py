"""What a network is here."""

from featviz.model.input_spec import InputSpec
from featviz.model.model import (
    BEFORE_RELU,
    IMAGE,
    OUTPUT,
    Activations,
    Apply,
    Layer,
    Model,
    Weights,
    before_relu,
    hash_architecture,
    hash_weights,
    require_model,
)

__all__ = [
    "BEFORE_RELU",
    "IMAGE",
    "OUTPUT",
    "Activations",
    "Apply",
    "InputSpec",
    "Layer",
    "Model",
    "Weights",
    "before_relu",
    "hash_architecture",
    "hash_weights",
    "require_model",
]
