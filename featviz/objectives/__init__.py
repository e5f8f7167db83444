"""What to maximize."""

from featviz.objectives.layers import deepdream
from featviz.objectives.objective import Objective, stack
from featviz.objectives.units import channel, direction, logit, neuron

__all__ = ["Objective", "channel", "deepdream", "direction", "logit", "neuron", "stack"]
