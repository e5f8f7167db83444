"""What a recipe is: everything about an optimization but the network, the objective, the size and the seed."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace

from featviz.ascent import Convergence
from featviz.objectives import Objective
from featviz.optimizers import Adam, Optimizer
from featviz.parameterizations import Fourier, Parameterization
from featviz.recipes.display import Display
from featviz.regularizers import Fidelity, Transform


class Carry(enum.Enum):
    """What one stage hands to the next, enlarged to its size."""

    IMAGE = "image"
    # DeepDream's: the start image at the next size, plus what the stage has changed.
    DETAIL = "detail"


@dataclass(frozen=True)
class Stage:
    """An octave: the picture at `scale` times its size, for `steps`; what is None is the recipe's own."""

    scale: float
    steps: int
    optimizer: Optimizer | None = None
    transforms: tuple[Transform, ...] | None = None


@dataclass(frozen=True)
class Recipe:
    """What is optimized, by which steps, under which transforms; frozen, with canonical JSON.

    `samples` transformed views are averaged in each step. `penalty` is an objective that is added, so it is written
    with its minus sign. For the first `redirect_steps` steps an image that a ReLU silences gets a gradient all
    the same. With `convergence`, `steps` is only a bound. `size` is used where render is given none; None is
    the size of the network's training.

    With `stages` the picture grows from one to the next; they take their `steps`, in sum the recipe's own, and hand
    on what `carry` says. With `transparency` the picture's alpha shows where the objective's gradient was. `display` is
    how the pixels are shown, the score is that of the image itself. With `fidelity` the picture is held to the image it
    began at: a photograph, or the parameterization's own noise. `sources` are keys of `citations.BIBTEX`.
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
    sources: tuple[str, ...] = ()


def expand_stages(recipe: Recipe, size: tuple[int, int], steps: int) -> list[tuple[Recipe, tuple[int, int]]]:
    """The stages of a recipe as recipes of their own, each with its steps and its (height, width).

    `steps` are those of all stages together, shared out as the recipe has them, at least one each; they are the sum,
    where there are as many steps as stages.

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
    """Whole numbers in the proportion of `parts`, 1 at least, whose sum is `total` if that is enough for 1 each.

    >>> share_out([10, 30], 20), share_out([190, 150, 150, 10], 24), share_out([10, 30], 40), share_out([1, 9], 1)
    ([5, 15], [9, 7, 7, 1], [10, 30], [1, 1])
    """
    ideal = [part * total / sum(parts) for part in parts]
    shares = [max(1, int(each)) for each in ideal]
    # What is left goes where most is missing, what is too much is taken where most was added.
    for _ in range(total - sum(shares)):
        shares[max(range(len(parts)), key=lambda at: ideal[at] - shares[at])] += 1
    for _ in range(max(0, sum(shares) - max(total, len(parts)))):
        shares[min((at for at in range(len(parts)) if shares[at] > 1), key=lambda at: ideal[at] - shares[at])] -= 1
    return shares
