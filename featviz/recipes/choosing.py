"""Which recipe a network gets where none is told, and how large its pictures are."""

from featviz.errors import FeatvizError
from featviz.model import Model
from featviz.model.shapes import shapes_at
from featviz.recipes.base import Recipe
from featviz.recipes.distill import default
from featviz.recipes.modern import transformer

# Recipes' sizes are meant for networks of 224 px; those trained on less than this get twice their own at most.
SMALL = 128


def default_recipe(model: Model) -> Recipe:
    """What is drawn with where no recipe is told: `transformer` for a network of tokens, `default` for any other.

    A network is one of tokens if most of its layers are (tokens, c).

    >>> from featviz.zoo.registry import outline
    >>> default_recipe(outline("vgg16")) == default, default_recipe(outline("clip_vit_b32")) == transformer
    (True, True)
    """
    of_tokens = sum(len(layer.shape) == 2 for layer in model.layers)
    return transformer if 2 * of_tokens > len(model.layers) else default


def default_size(model: Model, recipe: Recipe, layers: tuple[str, ...]) -> tuple[int, int]:
    """The pictures' height and width where no size is told, so that `layers` can be had.

    It is the recipe's own size; for a network of small images twice the network's own at most; and the network's own
    where the recipe has none or the network takes no other.

    >>> from featviz.zoo.registry import outline
    >>> default_size(outline("vgg16"), default, ("features",))
    (128, 128)
    >>> default_size(outline("deit_tiny"), transformer, ("head",))
    (224, 224)
    """
    own = model.input.size
    if recipe.size is None:
        return own
    side = recipe.size if min(own) >= SMALL else min(recipe.size, 2 * min(own))
    try:
        shapes_at(model, layers, (side, side))
    except (FeatvizError, TypeError, ValueError):
        return own
    return side, side
