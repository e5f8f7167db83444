"""How pictures are optimized: --recipe and what changes it, --size, --steps, --seed, --dtype."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from featviz.cli.options.option_group import PATH, Parsed, option_group
from featviz.errors import FeatvizError, suggest

if TYPE_CHECKING:
    from featviz.model import Model
    from featviz.recipes import Recipe


@dataclass(frozen=True)
class RecipeChoice:
    """A recipe with penalties, and the size, the steps, the seed and the number type of pictures."""

    named_recipe: "Recipe | None"
    penalties: tuple[tuple[str, float], ...]
    size: int | tuple[int, int] | None
    steps: int | None
    seed: int
    dtype: str

    def recipe(self, network: "Model") -> "Recipe":
        """The recipe named, or the one that the network gets by itself, less each penalty times its weight."""
        from featviz import recipes
        from featviz.regularizers import PENALTIES

        recipe = recipes.resolve(self.named_recipe, network)
        for name, weight in self.penalties:
            term = -weight * PENALTIES[name]
            recipe = replace(recipe, penalty=term if recipe.penalty is None else recipe.penalty + term)
        return recipe


@dataclass(frozen=True)
class RecipeChanges:
    """What `featviz render` may change in a recipe beyond that; None keeps what the recipe has."""

    fidelity: float | None
    spectrum: Path | None
    natural: float | None
    prior: Path | None
    transparency: bool | None
    converge: bool

    def apply(self, recipe: "Recipe") -> "Recipe":
        """The recipe with another weight of fidelity, another spectrum, and another share or file of its prior."""
        recipe = recipe if self.fidelity is None else with_fidelity(recipe, self.fidelity)
        recipe = recipe if self.spectrum is None else with_spectrum(recipe, self.spectrum)
        return with_prior(recipe, self.natural, self.prior)


def with_fidelity(recipe: "Recipe", weight: float) -> "Recipe":
    """The recipe with a fidelity term of this weight; a weight of 0 leaves the term out."""
    from featviz.regularizers import Fidelity

    return replace(recipe, fidelity=Fidelity(weight) if weight else None)


def with_prior(recipe: "Recipe", natural: float | None, file: Path | None) -> "Recipe":
    """The recipe with another share of its prior, and a prior of another file; None keeps either.

    Raises:
      FeatvizError: if the recipe has no prior.
    """
    changes = {"natural": natural, "file": None if file is None else str(file)}
    changes = {name: value for name, value in changes.items() if value is not None}
    if not changes:
        return recipe
    if recipe.prior is None:
        option = "--natural" if natural is not None else "--prior"
        raise FeatvizError(f"{option} is for a recipe with a prior; expected --recipe guided or denoised")
    return replace(recipe, prior=replace(recipe.prior, **changes))  # type: ignore[arg-type]


def with_spectrum(recipe: "Recipe", path: Path) -> "Recipe":
    """The recipe with the magnitudes of a file.

    Raises:
      FeatvizError: if the recipe optimizes no phases, or the file holds no magnitudes.
    """
    from featviz.parameterizations import MACO, load_spectrum

    if not isinstance(recipe.parameterization, MACO):
        raise FeatvizError(
            "--spectrum gives magnitudes, which this recipe lacks; expected --recipe maco_2023 or maco_uniform"
        )
    return replace(recipe, parameterization=replace(recipe.parameterization, spectrum=load_spectrum(path)))


def parse_size(text: str) -> int | tuple[int, int]:
    """`128` or `96x128` (height x width).

    >>> parse_size("128"), parse_size("96x128")
    (128, (96, 128))
    """
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.isdecimal() for part in parts):
        raise FeatvizError(f"--size is `{text}`; expected pixels a side, such as 128, or HEIGHTxWIDTH, such as 96x128")
    sides = tuple(int(part) for part in parts)
    return sides[0] if len(sides) == 1 else (sides[0], sides[1])


def parse_penalty(text: str) -> tuple[str, float]:
    """`NAME=WEIGHT` as a penalty's name and its weight.

    >>> parse_penalty("tv=0.5")
    ('tv', 0.5)
    """
    from featviz.regularizers import PENALTIES

    name, _, weight = text.partition("=")
    if name not in PENALTIES:
        raise FeatvizError(f"--penalty is `{text}`; {suggest(name, PENALTIES)}")
    try:
        amount = float(weight)
    except ValueError:
        amount = -1.0
    if not 0 <= amount < float("inf"):
        raise FeatvizError(f"--penalty is `{text}`; expected NAME=WEIGHT with a weight of 0 or more, such as tv=0.5")
    return name, amount


def _parse_recipe(text: str) -> "Recipe":
    from featviz import recipes

    return recipes.by_name(text)


def size_option(*, default: str) -> Callable[[Any], Any]:
    """--size: pixels a side or HEIGHTxWIDTH; `default` says what is taken without it."""
    return click.option(
        "--size",
        type=Parsed(parse_size),
        metavar="PX",
        help=f"Set the size of images in pixels: one side, or HEIGHTxWIDTH.  [default: {default}]",
    )


seed_option = click.option(
    "--seed", type=int, default=0, show_default=True, help="Draw all random numbers from this seed."
)
recipe_options = option_group(
    "choice",
    RecipeChoice,
    click.option(
        "--recipe",
        "named_recipe",
        type=Parsed(_parse_recipe),
        metavar="NAME",
        help="Follow this recipe, one of `featviz recipes`.  [default: default, or transformer for tokens]",
    ),
    click.option(
        "--penalty",
        "penalties",
        type=Parsed(parse_penalty),
        metavar="NAME=WEIGHT",
        multiple=True,
        help="Penalize the picture: tv, variation, blur, frequency, l1 or l2. The option may be repeated.",
    ),
    size_option(default="the recipe's"),
    click.option("--steps", type=int, help="Run this many steps of optimization.  [default: the recipe's]"),
    seed_option,
    click.option(
        "--dtype",
        type=click.Choice(["float32", "bfloat16"]),
        default="float32",
        show_default=True,
        help="Compute the network in this type; bfloat16 is faster on accelerators.",
    ),
)
recipe_change_options = option_group(
    "changes",
    RecipeChanges,
    click.option(
        "--fidelity",
        type=float,
        metavar="WEIGHT",
        help="Keep the picture near its start by a term of this weight.  [default: the recipe's]",
    ),
    click.option(
        "--spectrum",
        type=PATH,
        metavar="FILE",
        help="Take MACO's magnitudes from FILE, which `featviz spectrum` has written.",
    ),
    click.option(
        "--natural",
        type=float,
        metavar="SHARE",
        help="Weigh the prior against the objective, from 0 to 1.  [default: the recipe's]",
    ),
    click.option(
        "--prior",
        type=PATH,
        metavar="FILE",
        help="Take the prior from FILE, which `featviz prior fit` has written.",
    ),
    click.option(
        "--transparency/--no-transparency",
        default=None,
        help="Add an alpha channel that shows where the gradient was.  [default: the recipe's]",
    ),
    click.option("--converge", is_flag=True, help="Stop each picture when its score no longer increases."),
)
