"""What to maximize."""

from featviz.objectives.base import Objective, stack
from featviz.objectives.custom import function
from featviz.objectives.directions import cosine, direction, tensor_direction
from featviz.objectives.groups import alignment, diverse, diversity, interpolate
from featviz.objectives.latents import latent, latent_survives
from featviz.objectives.layers import deepdream, head
from featviz.objectives.positions import patches, within
from featviz.objectives.references import caricature, guided_dream, inversion, style
from featviz.objectives.units import channel, logit, neuron

__all__ = [
    "Objective",
    "alignment",
    "caricature",
    "channel",
    "cosine",
    "deepdream",
    "direction",
    "diversity",
    "function",
    "guided_dream",
    "head",
    "interpolate",
    "inversion",
    "latent",
    "latent_survives",
    "logit",
    "neuron",
    "patches",
    "stack",
    "style",
    "tensor_direction",
    "diverse",
    "within",
]
