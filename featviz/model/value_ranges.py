"""The ranges of values on which image networks are trained, by a word: what an `InputSpec` says beside its size."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

# `imagenet` is the mean and spread of torchvision's documentation, of [0,1]; `caffe` the mean color of Caffe's
# ImageNet networks, BGR; `symmetric`, [-1,1], is TensorFlow's.
RANGES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "unit": {"scale": 1.0, "mean": (0.0,), "std": (1.0,), "bgr": False},
        "symmetric": {"scale": 1.0, "mean": (0.5,), "std": (0.5,), "bgr": False},
        "bytes": {"scale": 255.0, "mean": (0.0,), "std": (1.0,), "bgr": False},
        "imagenet": {"scale": 1.0, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "bgr": False},
        "caffe": {"scale": 255.0, "mean": (104.0, 117.0, 123.0), "std": (1.0,), "bgr": True},
    }
)
