"""Optimizers and schedules by name."""

from featviz.optimizers.named import (
    Adam,
    Chain,
    Constant,
    Cosine,
    Custom,
    Linear,
    Nadam,
    Normalize,
    NormalizeStd,
    Optimizer,
    ProgressSgd,
    Scale,
    Schedule,
    Sgd,
    image_axes,
)

__all__ = [
    "Adam",
    "Chain",
    "Constant",
    "Cosine",
    "Custom",
    "Linear",
    "Nadam",
    "Normalize",
    "NormalizeStd",
    "Optimizer",
    "ProgressSgd",
    "Scale",
    "Schedule",
    "Sgd",
    "image_axes",
]
