"""What a recipe is: everything about an optimization but the network, the objective, the size and the seed."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from featviz.ascent import Convergence
from featviz.objectives import Objective
from featviz.optimizers import Adam, Optimizer
from featviz.parameterizations import Fourier, Parameterization
from featviz.priors import Prior
from featviz.recipes.display import Display
from featviz.regularizers import Fidelity, Transform


class Carry(enum.Enum):
    """What one stage hands to the next, enlarged to its size."""

    IMAGE = "image"
    # DeepDream's: the start image at the next size, plus the changes of the stage.
    DETAIL = "detail"


@dataclass(frozen=True)
class Stage:
    """An octave: the picture at one size, for some of the steps.

    Args:
      scale: the picture's size, as a share of the recipe's.
      steps: the steps at this size.
      optimizer: None for the recipe's.
      transforms: None for the recipe's.
    """

    scale: float
    steps: int
    optimizer: Optimizer | None = None
    transforms: tuple[Transform, ...] | None = None


@dataclass(frozen=True)
class Recipe:
    """What is optimized, by which steps, under which transforms; frozen, with canonical JSON.

    Args:
      parameterization: what is optimized in place of an image.
      optimizer: the step rule; with `Chain`, the step rules.
      transforms: what the picture must survive, the first one first.
      penalty: an objective that is added, so it is written with a minus sign.
      samples: how many transformed views are averaged in each step.
      steps: the number of steps; with `convergence`, the largest number.
      size: the pictures' height and width where `render` is given none; None for the size of the network's training.
      redirect_steps: for so many first steps, an image that a ReLU silences gets a gradient nevertheless.
      convergence: when a picture has converged; None to take all steps.
      stages: octaves, from one to the next; their steps add up to `steps`.
      carry: what one stage hands to the next.
      transparency: whether the picture's alpha shows where the objective's gradient was.
      display: how the pixels are shown; the score is that of the image itself.
      fidelity: how the picture is held close to the image it began at.
      prior: what images look like, which the picture goes by as well.
      sources: whom to cite, keys of `citations.BIBTEX`, the first one first.
      summary: one line about it, for tables; two recipes that differ in it only are equal.

    >>> Recipe(transforms=(), steps=64).optimizer
    Adam(learning_rate=0.05, b1=0.9, b2=0.999, eps=1e-08)
    """

    parameterization: Parameterization = Fourier()
    optimizer: Optimizer = Adam(0.05)
    transforms: tuple[Transform, ...] = ()
    penalty: Objective | None = None
    samples: int = 1
    steps: int = 256
    size: int | None = 128
    redirect_steps: int = 16
    convergence: Convergence | None = None
    stages: tuple[Stage, ...] = ()
    carry: Carry = Carry.IMAGE
    transparency: bool = False
    display: Display | None = None
    fidelity: Fidelity | None = None
    prior: Prior | None = None
    sources: tuple[str, ...] = ()
    summary: str = field(default="", compare=False, metadata={"canonical": False})


def expand_stages(recipe: Recipe, size: tuple[int, int], steps: int) -> list[tuple[Recipe, tuple[int, int]]]:
    """The stages of a recipe as recipes without stages.

    Args:
      recipe: the recipe; without stages it is its only stage.
      size: the picture's height and width.
      steps: those of all stages together, distributed in the recipe's proportions, at least one each.

    Returns:
      The recipe of each stage, with its steps, and its (height, width).

    >>> octaves = Recipe(stages=(Stage(0.5, 10), Stage(1.0, 30)), steps=40)
    >>> [(stage.steps, size) for stage, size in expand_stages(octaves, (64, 65), 20)]
    [(5, (32, 32)), (15, (64, 65))]
    """
    if not recipe.stages:
        return [(replace(recipe, steps=steps), size)]
    return [
        (
            replace(
                recipe,
                stages=(),
                steps=share,
                optimizer=stage.optimizer or recipe.optimizer,
                transforms=recipe.transforms if stage.transforms is None else stage.transforms,
            ),
            (round(size[0] * stage.scale), round(size[1] * stage.scale)),
        )
        for stage, share in zip(recipe.stages, share_out([stage.steps for stage in recipe.stages], steps), strict=True)
    ]


def share_out(parts: Sequence[int], total: int) -> list[int]:
    """Integers in the proportions of `parts`, at least 1 each, with sum `total` if that is enough.

    >>> share_out([10, 30], 20), share_out([190, 150, 150, 10], 24), share_out([10, 30], 40), share_out([1, 9], 1)
    ([5, 15], [9, 7, 7, 1], [10, 30], [1, 1])
    """
    ideal = [part * total / sum(parts) for part in parts]
    shares = [max(1, int(share)) for share in ideal]
    # The remainder goes where most is missing; an excess is taken where most was added.
    for _ in range(total - sum(shares)):
        shares[max(range(len(parts)), key=lambda i: ideal[i] - shares[i])] += 1
    for _ in range(max(0, sum(shares) - max(total, len(parts)))):
        shares[min((i for i in range(len(parts)) if shares[i] > 1), key=lambda i: ideal[i] - shares[i])] -= 1
    return shares
