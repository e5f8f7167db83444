"""Networks for `doors.py`, by their libraries, and how each is compared with its framework."""

from door_networks import (
    jax_networks,
    keras_networks,
    onnx_networks,
    other_torch_networks,
    timm_networks,
    transformers_networks,
)

NETWORKS = [
    *timm_networks.NETWORKS,
    *transformers_networks.NETWORKS,
    *other_torch_networks.NETWORKS,
    *keras_networks.NETWORKS,
    *onnx_networks.NETWORKS,
    *jax_networks.NETWORKS,
]
