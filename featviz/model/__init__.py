"""What a network is in featviz: `Model`, its layers, its input, their shapes, and fingerprints of it."""

from featviz.model.fingerprints import hash_architecture, hash_weights
from featviz.model.frameworks import FRAMEWORKS, Framework, find_framework, require_model
from featviz.model.input_spec import RANGES, InputSpec
from featviz.model.latent_layer import LatentWeights
from featviz.model.latent_layers import extend_weights, network_alone
from featviz.model.model import (
    ALONG_DECODER,
    BEFORE_RELU,
    IMAGE,
    OUTPUT,
    Activations,
    Apply,
    Layer,
    Model,
    Weights,
    along_decoder,
    before_relu,
)
from featviz.model.output_classes import find_class, output_units
from featviz.model.shapes import shapes_at, shapes_for

__all__ = [
    "ALONG_DECODER",
    "BEFORE_RELU",
    "FRAMEWORKS",
    "IMAGE",
    "OUTPUT",
    "RANGES",
    "Activations",
    "Apply",
    "Framework",
    "InputSpec",
    "LatentWeights",
    "Layer",
    "Model",
    "Weights",
    "along_decoder",
    "before_relu",
    "extend_weights",
    "find_class",
    "find_framework",
    "hash_architecture",
    "hash_weights",
    "network_alone",
    "output_units",
    "require_model",
    "shapes_at",
    "shapes_for",
]
