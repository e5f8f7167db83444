"""What to maximize. A new kind of objective is a file here and its line below."""

from featviz.objectives.channels import CHANNEL_FORM, PATCHES_FORM
from featviz.objectives.channels import channel as channel
from featviz.objectives.channels import patches as patches
from featviz.objectives.cosines import cosine as cosine
from featviz.objectives.custom import function as function
from featviz.objectives.directions import DIRECTION_FORMS
from featviz.objectives.directions import direction as direction
from featviz.objectives.facets import diverse as diverse
from featviz.objectives.facets import diversity as diversity
from featviz.objectives.interpolations import alignment as alignment
from featviz.objectives.interpolations import interpolate as interpolate
from featviz.objectives.latents import latent as latent
from featviz.objectives.latents import latent_survives as latent_survives
from featviz.objectives.logits import CLASS_FORM, LOGIT_FORM
from featviz.objectives.logits import logit as logit
from featviz.objectives.masks import within as within
from featviz.objectives.matching import guided_dream as guided_dream
from featviz.objectives.matching import inversion as inversion
from featviz.objectives.matching import style as style
from featviz.objectives.mean_squares import HEAD_FORM, MEAN_SQUARE_FORM
from featviz.objectives.mean_squares import deepdream as deepdream
from featviz.objectives.mean_squares import head as head
from featviz.objectives.neurons import NEURON_FORM
from featviz.objectives.neurons import neuron as neuron
from featviz.objectives.objective import Objective as Objective
from featviz.objectives.objective import stack as stack
from featviz.objectives.sorted_values import statistics as statistics
from featviz.objectives.strongest import STRONGEST_FORM
from featviz.objectives.strongest import strongest as strongest
from featviz.objectives.tensor_directions import caricature as caricature
from featviz.objectives.tensor_directions import tensor_direction as tensor_direction

# How the command line writes objectives, for those that it can write.
TARGET_FORMS = (
    CHANNEL_FORM,
    NEURON_FORM,
    PATCHES_FORM,
    STRONGEST_FORM,
    HEAD_FORM,
    MEAN_SQUARE_FORM,
    LOGIT_FORM,
    CLASS_FORM,
    *DIRECTION_FORMS,
)
