"""Recipes: combinations of parameterization, step rules and transforms, under the names of those who published them."""

from featviz.errors import FeatvizError, suggest
from featviz.model import Model
from featviz.recipes.base import Carry, Recipe, Stage, expand_stages
from featviz.recipes.choosing import default_recipe, default_size
from featviz.recipes.distill import default, distill_2017, lucid
from featviz.recipes.early import (
    deepdream_2015,
    erhan_2009,
    oygard_2015,
    simonyan_2013,
    tf_tutorial_2015,
    tf_tutorial_2015_laplacian,
    tf_tutorial_2015_multiscale,
    tf_tutorial_2020,
    yosinski_2015,
    yosinski_2015_a,
    yosinski_2015_b,
    yosinski_2015_d,
)
from featviz.recipes.modern import accentuation_2024, das_2025, maco_2023, maco_uniform, transformer, vit_2022

RECIPES = {
    "default": default,
    "transformer": transformer,
    "erhan_2009": erhan_2009,
    "simonyan_2013": simonyan_2013,
    "yosinski_2015": yosinski_2015,
    "yosinski_2015_a": yosinski_2015_a,
    "yosinski_2015_b": yosinski_2015_b,
    "yosinski_2015_d": yosinski_2015_d,
    "oygard_2015": oygard_2015,
    "deepdream_2015": deepdream_2015,
    "tf_tutorial_2015": tf_tutorial_2015,
    "tf_tutorial_2015_multiscale": tf_tutorial_2015_multiscale,
    "tf_tutorial_2015_laplacian": tf_tutorial_2015_laplacian,
    "tf_tutorial_2020": tf_tutorial_2020,
    "distill_2017": distill_2017,
    "lucid": lucid,
    "vit_2022": vit_2022,
    "maco_2023": maco_2023,
    "maco_uniform": maco_uniform,
    "accentuation_2024": accentuation_2024,
    "das_2025": das_2025,
}

__all__ = [
    "RECIPES",
    "Carry",
    "Recipe",
    "Stage",
    "by_name",
    "resolve",
    "default_recipe",
    "default_size",
    "expand_stages",
    *RECIPES,
]


def by_name(name: str) -> Recipe:
    """The recipe of that name. Raises FeatvizError with the nearest name if there is none.

    >>> by_name("lucid").steps
    512
    """
    if name not in RECIPES:
        raise FeatvizError(f"there is no recipe `{name}`; {suggest(name, RECIPES)}")
    return RECIPES[name]


def resolve(recipe: Recipe | str | None, model: Model) -> Recipe:
    """The recipe that was given, itself or by its name, else the one that suits the model.

    >>> from featviz.zoo.registry import outline
    >>> resolve("lucid", outline("vgg16")) == lucid, resolve(None, outline("vgg16")) == default
    (True, True)

    Raises: FeatvizError with the nearest name if there is none of that name, or if it is no recipe.
    """
    if recipe is None:
        return default_recipe(model)
    if isinstance(recipe, str):
        return by_name(recipe)
    if not isinstance(recipe, Recipe):
        raise FeatvizError(f"`recipe` is a {type(recipe).__name__}; expected a Recipe, or the name of one, as 'lucid'")
    return recipe
