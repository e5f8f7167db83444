"""Recipes: published combinations of parameterization, step rules and transforms, by their names.

Each is an attribute, `fv.recipes.lucid`; `RECIPES` has all by name, `fv.citation` says whom to cite. A recipe is a
frozen `Recipe`: change one with `dataclasses.replace`. To add one, write it in the file of its time, with its `summary`
and its `sources`, and list it in `RECIPES`.

>>> RECIPES["lucid"].summary
'decorrelated Fourier coefficients; four transforms'
"""

from typing import Any

from featviz.errors import FeatvizError, suggest
from featviz.model import Model
from featviz.recipes import distill, early, modern, natural
from featviz.recipes.base import Carry, Recipe, Stage, expand_stages
from featviz.recipes.choosing import default_recipe, default_size

RECIPES: dict[str, Recipe] = {
    "default": distill.default,
    "transformer": modern.transformer,
    "erhan_2009": early.erhan_2009,
    "simonyan_2013": early.simonyan_2013,
    "yosinski_2015": early.yosinski_2015,
    "yosinski_2015_a": early.yosinski_2015_a,
    "yosinski_2015_b": early.yosinski_2015_b,
    "yosinski_2015_d": early.yosinski_2015_d,
    "oygard_2015": early.oygard_2015,
    "deepdream_2015": early.deepdream_2015,
    "tf_tutorial_2015": early.tf_tutorial_2015,
    "tf_tutorial_2015_multiscale": early.tf_tutorial_2015_multiscale,
    "tf_tutorial_2015_laplacian": early.tf_tutorial_2015_laplacian,
    "tf_tutorial_2020": early.tf_tutorial_2020,
    "distill_2017": distill.distill_2017,
    "lucid": distill.lucid,
    "vit_2022": modern.vit_2022,
    "maco_2023": modern.maco_2023,
    "maco_uniform": modern.maco_uniform,
    "accentuation_2024": modern.accentuation_2024,
    "das_2025": modern.das_2025,
    "vital_2025": modern.vital_2025,
    "guided": natural.guided,
    "denoised": natural.denoised,
}

__all__ = [
    "RECIPES",
    "Carry",
    "Recipe",
    "Stage",
    "by_name",
    "default_recipe",
    "default_size",
    "expand_stages",
    "resolve",
    *RECIPES,
]


def __getattr__(name: str) -> Any:
    if name in RECIPES:
        return RECIPES[name]
    raise AttributeError(f"module `featviz.recipes` has no attribute `{name}`")


def __dir__() -> list[str]:
    return sorted(__all__)


def by_name(name: str) -> Recipe:
    """The recipe of a name.

    Raises:
      FeatvizError: with the nearest name, if there is none.

    >>> by_name("lucid").steps
    512
    """
    if name not in RECIPES:
        raise FeatvizError(f"there is no recipe `{name}`; {suggest(name, RECIPES)}")
    return RECIPES[name]


def resolve(recipe: Recipe | str | None, model: Model) -> Recipe:
    """The recipe to draw with.

    Args:
      recipe: a recipe, its name, or None for the one that suits the model (`default_recipe`).
      model: the network.

    Raises:
      FeatvizError: if there is no recipe of that name, or if it is something else.

    >>> from featviz.zoo.registry import outline
    >>> resolve("lucid", outline("vgg16")) == by_name("lucid")
    True
    """
    if recipe is None:
        return default_recipe(model)
    if isinstance(recipe, str):
        return by_name(recipe)
    if not isinstance(recipe, Recipe):
        raise FeatvizError(f"`recipe` is a {type(recipe).__name__}; expected a Recipe, or the name of one, as 'lucid'")
    return recipe
