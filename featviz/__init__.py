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
    from featviz.adapters.linen import from_linen as from_linen
    from featviz.ascent import Convergence as Convergence
    from featviz.curves import score_curves as score_curves
    from featviz.errors import FeatvizError as FeatvizError
    from featviz.model import InputSpec as InputSpec
    from featviz.model import Model as Model
    from featviz.models.registry import load as load
    from featviz.natural.evidence import Evidence as Evidence
    from featviz.natural.evidence import Judgement as Judgement
    from featviz.natural.evidence import evidence as evidence
    from featviz.natural.exemplars import exemplars as exemplars
    from featviz.natural.features import Features as Features
    from featviz.natural.survey import Survey as Survey
    from featviz.natural.survey import open_survey as open_survey
    from featviz.natural.survey import survey as survey
    from featviz.objectives import Objective as Objective
    from featviz.objectives import channel as channel
    from featviz.objectives import deepdream as deepdream
    from featviz.objectives import direction as direction
    from featviz.objectives import logit as logit
    from featviz.objectives import neuron as neuron
    from featviz.picture import Outcome as Outcome
    from featviz.picture import Picture as Picture
    from featviz.picture import load_picture as load_picture
    from featviz.recipes import Recipe as Recipe
    from featviz.rendering import render as render
    from featviz.rendering import render_each as render_each
    from featviz.sheets import contact_sheet as contact_sheet

# Where each name of the face lives; imported when first used, so that `import featviz` is quick.
_FACE = {
    "Convergence": "ascent",
    "Evidence": "natural.evidence",
    "Features": "natural.features",
    "FeatvizError": "errors",
    "InputSpec": "model",
    "Judgement": "natural.evidence",
    "Model": "model",
    "Objective": "objectives",
    "Outcome": "picture",
    "Picture": "picture",
    "Recipe": "recipes",
    "Survey": "natural.survey",
    "channel": "objectives",
    "contact_sheet": "sheets",
    "deepdream": "objectives",
    "direction": "objectives",
    "evidence": "natural.evidence",
    "exemplars": "natural.exemplars",
    "from_linen": "adapters.linen",
    "load": "models.registry",
    "load_picture": "picture",
    "logit": "objectives",
    "neuron": "objectives",
    "open_survey": "natural.survey",
    "render": "rendering",
    "render_each": "rendering",
    "score_curves": "curves",
    "survey": "natural.survey",
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
