"""The recipe and the size of pictures where the user names none."""

from featviz.errors import FeatvizError
from featviz.model import Model
from featviz.model.shapes import shapes_at
from featviz.recipes.base import Recipe
from featviz.recipes.distill import default
from featviz.recipes.modern import transformer

# Recipes' sizes are meant for networks of 224 px; networks trained on smaller images than this get pictures of at most
# twice their own size.
SMALL_INPUT = 128


def default_recipe(model: Model) -> Recipe:
    """The recipe of a network: `transformer` if most of its layers are (tokens, units), else `default`.

    >>> from featviz.zoo.registry import outline
    >>> default_recipe(outline("vgg16")) == default, default_recipe(outline("clip_vit_b32")) == transformer
    (True, True)
    """
    token_layers = sum(len(layer.shape) == 2 for layer in model.layers)
    return transformer if 2 * token_layers > len(model.layers) else default


def default_size(model: Model, recipe: Recipe, layers: tuple[str, ...]) -> tuple[int, int]:
    """The pictures' height and width where the user names none, such that `layers` can be computed.

    It is the recipe's size, but for a network of small images at most twice the network's; and it is the network's
    where the recipe has no size or the network accepts no other.

    >>> from featviz.zoo.registry import outline
    >>> default_size(outline("vgg16"), default, ("features",))
    (128, 128)
    >>> default_size(outline("deit_tiny"), transformer, ("head",))
    (224, 224)
    """
    input_size = model.input.size
    if recipe.size is None:
        return input_size
    side = recipe.size if min(input_size) >= SMALL_INPUT else min(recipe.size, 2 * min(input_size))
    try:
        shapes_at(model, layers, (side, side))
    except (FeatvizError, TypeError, ValueError):
        return input_size
    return side, side
