"""Recipes: everything about an optimization but the network, the objective, the size and the seed."""

from dataclasses import dataclass

from featviz.ascent import Convergence
from featviz.errors import FeatvizError, nearest
from featviz.images import Fourier, Parameterization
from featviz.objectives import Objective
from featviz.optimizers import Adam, Constant, Optimizer, Schedule
from featviz.regularizers import Affine, Crop, Jitter, Pad, Transform


@dataclass(frozen=True)
class Recipe:
    """What is optimized, by which steps, under which transforms; frozen, with canonical JSON.

    `samples` transformed views are averaged in each step. `penalty` is an objective that is added, so it is written
    with its minus sign. For the first `redirect_steps` steps an image that a ReLU silences gets a gradient all
    the same. With `convergence`, `steps` is only a bound. `size` is used where render is given none.
    """

    parameterization: Parameterization = Fourier()
    optimizer: Optimizer = Adam(0.05)
    schedule: Schedule = Constant()
    transforms: tuple[Transform, ...] = ()
    penalty: Objective | None = None
    samples: int = 1
    steps: int = 256
    size: int = 128
    redirect_steps: int = 16
    convergence: Convergence | None = None
    citation: str = ""


# Fourier decay above the published 1 lets colours and large shapes saturate within few steps; transforms that
# fade away give back the finest detail. Both raised the clean score on every layer tried, and the look with it. With
# half of Adam's usual momentum 128 steps score what 192 did (experiments/every_unit_lives.py), also under blur, JPEG
# and changes of scale that the optimization never saw; larger or falling learning rates, Lion, normalized gradients and
# a rate for each frequency scored less in as many steps, or saturated the colours. Nor do pictures of any setting near
# it tell more of photographs in comparable time (benchmarks/evidence.py --choose).
default = Recipe(
    parameterization=Fourier(decay=1.25),
    optimizer=Adam(0.05, b1=0.5),
    transforms=(Affine(scales=(0.9, 1.1), degrees=(-10.0, 10.0), shift=8.0, uniform=True, end=0.0),),
    steps=128,
    citation="featviz; after Olah, Mordvintsev and Schubert 2017",
)

lucid = Recipe(
    transforms=(
        Pad(12, fill=0.5),
        Jitter(8),
        Affine(
            scales=tuple(1 + (i - 5) / 50 for i in range(11)),
            degrees=(*(float(d) for d in range(-10, 11)), 0.0, 0.0, 0.0, 0.0, 0.0),
        ),
        Jitter(4),
    ),
    steps=512,
    redirect_steps=16,
    citation="lucid, optvis/render.py and optvis/transform.py, standard_transforms",
)

distill_2017 = Recipe(
    transforms=(
        Pad(16, fill=0.5),
        Jitter(16),
        Affine(scales=(1.0, 0.975, 1.025, 0.95, 1.05), degrees=tuple(float(d) for d in range(-5, 6))),
        Jitter(8),
        Crop(4),
    ),
    steps=2560,
    redirect_steps=0,
    citation="Olah, Mordvintsev and Schubert 2017, doi:10.23915/distill.00007",
)

RECIPES = {"default": default, "lucid": lucid, "distill_2017": distill_2017}


def by_name(name: str) -> Recipe:
    """The recipe of that name. Raises FeatvizError with the nearest name if there is none.

    >>> by_name("lucid").steps
    512
    """
    if name not in RECIPES:
        raise FeatvizError(f"there is no recipe `{name}`; {nearest(name, RECIPES)}")
    return RECIPES[name]
