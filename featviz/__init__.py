"""featviz: what does this unit of a neural network look for? It answers with pictures, in JAX.

>>> import featviz as fv
>>> fv.channel("inception_4c", 103).label
'inception_4c:103'
"""

import importlib
from typing import TYPE_CHECKING, Any

from featviz.version import __version__

if TYPE_CHECKING:
    from featviz import recipes as recipes
    from featviz.adapters.equinox import from_equinox as from_equinox
    from featviz.adapters.function import from_function as from_function
    from featviz.adapters.keras import from_keras as from_keras
    from featviz.adapters.linen import from_linen as from_linen
    from featviz.adapters.nnx import from_nnx as from_nnx
    from featviz.adapters.onnx.from_file import from_onnx as from_onnx
    from featviz.adapters.torch.from_module import from_torch as from_torch
    from featviz.ascent import Convergence as Convergence
    from featviz.ascent.outcome import Outcome as Outcome
    from featviz.atlas.build import build_atlas as build_atlas
    from featviz.atlas.build import build_site as build_site
    from featviz.atlas.ray.engine import OnRay as OnRay
    from featviz.atlas.reading import Atlas as Atlas
    from featviz.atlas.reading import open_atlas as open_atlas
    from featviz.diagnosis.check_input import InputCheck as InputCheck
    from featviz.diagnosis.check_input import check_input as check_input
    from featviz.dreaming.dream import dream as dream
    from featviz.dreaming.film import dream_film as dream_film
    from featviz.dreaming.film import dream_frames as dream_frames
    from featviz.dreaming.video import save_film as save_film
    from featviz.errors import FeatvizError as FeatvizError
    from featviz.evaluation.evidence import Evidence as Evidence
    from featviz.evaluation.evidence import UnitEvidence as UnitEvidence
    from featviz.evaluation.evidence import evidence as evidence
    from featviz.evaluation.features import Features as Features
    from featviz.model import InputSpec as InputSpec
    from featviz.model import Model as Model
    from featviz.model import before_relu as before_relu
    from featviz.objectives import Objective as Objective
    from featviz.objectives import alignment as alignment
    from featviz.objectives import caricature as caricature
    from featviz.objectives import channel as channel
    from featviz.objectives import cosine as cosine
    from featviz.objectives import deepdream as deepdream
    from featviz.objectives import direction as direction
    from featviz.objectives import diverse as diverse
    from featviz.objectives import diversity as diversity
    from featviz.objectives import function as function
    from featviz.objectives import guided_dream as guided_dream
    from featviz.objectives import head as head
    from featviz.objectives import interpolate as interpolate
    from featviz.objectives import inversion as inversion
    from featviz.objectives import latent as latent
    from featviz.objectives import latent_survives as latent_survives
    from featviz.objectives import logit as logit
    from featviz.objectives import neuron as neuron
    from featviz.objectives import patches as patches
    from featviz.objectives import style as style
    from featviz.objectives import tensor_direction as tensor_direction
    from featviz.objectives import within as within
    from featviz.parameterizations.fourier import load_spectrum as load_spectrum
    from featviz.pictures.curves import score_curves as score_curves
    from featviz.pictures.picture import Picture as Picture
    from featviz.pictures.picture import load_picture as load_picture
    from featviz.pictures.sheets import contact_sheet as contact_sheet
    from featviz.recipes import Recipe as Recipe
    from featviz.recipes.citations import citation as citation
    from featviz.rendering.observe import observe as observe
    from featviz.rendering.render import render as render
    from featviz.rendering.render import render_each as render_each
    from featviz.rendering.render import render_group as render_group
    from featviz.surveys.exemplars import exemplars as exemplars
    from featviz.surveys.spectra import measure_spectrum as measure_spectrum
    from featviz.surveys.survey import Survey as Survey
    from featviz.surveys.survey import open_survey as open_survey
    from featviz.surveys.survey import survey as survey
    from featviz.training.comparison import Comparison as Comparison
    from featviz.training.comparison import compare as compare
    from featviz.training.streaming import stream as stream
    from featviz.training.watch import Watch as Watch
    from featviz.zoo.registry import load as load

# Where each name of the face lives; imported when first used, so that `import featviz` is quick.
_FACE = {
    "Atlas": "atlas.reading",
    "Comparison": "training.comparison",
    "Convergence": "ascent",
    "Evidence": "evaluation.evidence",
    "Features": "evaluation.features",
    "FeatvizError": "errors",
    "InputCheck": "diagnosis.check_input",
    "InputSpec": "model",
    "UnitEvidence": "evaluation.evidence",
    "Model": "model",
    "Objective": "objectives",
    "OnRay": "atlas.ray.engine",
    "Outcome": "ascent.outcome",
    "Picture": "pictures.picture",
    "Recipe": "recipes",
    "Survey": "surveys.survey",
    "Watch": "training.watch",
    "alignment": "objectives",
    "before_relu": "model",
    "build_atlas": "atlas.build",
    "build_site": "atlas.build",
    "caricature": "objectives",
    "channel": "objectives",
    "check_input": "diagnosis.check_input",
    "citation": "recipes.citations",
    "compare": "training.comparison",
    "contact_sheet": "pictures.sheets",
    "cosine": "objectives",
    "deepdream": "objectives",
    "direction": "objectives",
    "diversity": "objectives",
    "dream": "dreaming.dream",
    "dream_film": "dreaming.film",
    "dream_frames": "dreaming.film",
    "evidence": "evaluation.evidence",
    "exemplars": "surveys.exemplars",
    "from_equinox": "adapters.equinox",
    "from_function": "adapters.function",
    "from_keras": "adapters.keras",
    "from_linen": "adapters.linen",
    "from_nnx": "adapters.nnx",
    "from_onnx": "adapters.onnx.from_file",
    "from_torch": "adapters.torch.from_module",
    "function": "objectives",
    "guided_dream": "objectives",
    "head": "objectives",
    "interpolate": "objectives",
    "inversion": "objectives",
    "latent": "objectives",
    "latent_survives": "objectives",
    "load": "zoo.registry",
    "load_picture": "pictures.picture",
    "load_spectrum": "parameterizations.fourier",
    "logit": "objectives",
    "measure_spectrum": "surveys.spectra",
    "neuron": "objectives",
    "observe": "rendering.observe",
    "open_atlas": "atlas.reading",
    "open_survey": "surveys.survey",
    "patches": "objectives",
    "render": "rendering.render",
    "render_each": "rendering.render",
    "render_group": "rendering.render",
    "save_film": "dreaming.video",
    "score_curves": "pictures.curves",
    "stream": "training.streaming",
    "style": "objectives",
    "survey": "surveys.survey",
    "tensor_direction": "objectives",
    "diverse": "objectives",
    "within": "objectives",
}

__all__ = ["__version__", "recipes", *_FACE]


def __getattr__(name: str) -> Any:
    if name == "recipes":
        return importlib.import_module("featviz.recipes")
    if name in _FACE:
        return getattr(importlib.import_module(f"featviz.{_FACE[name]}"), name)
    raise AttributeError(f"module `featviz` has no attribute `{name}`")


def __dir__() -> list[str]:
    return sorted(__all__)
