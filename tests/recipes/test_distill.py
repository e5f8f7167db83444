"""The recipes of Distill and Lucid: the published constants."""

from featviz.optimizers import Adam
from featviz.parameterizations import Fourier
from featviz.recipes import by_name
from featviz.regularizers import (
    Jitter,
    Pad,
    RandomAffine,
)


def transforms(recipe, kind):
    return next(transform for transform in recipe.transforms if isinstance(transform, kind))


def test_distill_and_lucid():
    distill, lucid = by_name("distill_2017"), by_name("lucid")
    assert (distill.optimizer, distill.steps, distill.parameterization) == (Adam(0.05), 2560, Fourier())
    assert [type(transform) for transform in distill.transforms][:4] == [Pad, Jitter, RandomAffine, Jitter]
    assert transforms(distill, Pad).width == 16 and transforms(distill, Jitter).pixels == 16
    assert set(transforms(distill, RandomAffine).scales) == {1, 0.975, 1.025, 0.95, 1.05}
    assert transforms(distill, RandomAffine).degrees == tuple(range(-5, 6))
    assert (lucid.optimizer, lucid.steps, lucid.size) == (Adam(0.05), 512, 128)
    assert transforms(lucid, Pad) == Pad(12, fill=0.5) and transforms(lucid, Jitter) == Jitter(8)
    assert transforms(lucid, RandomAffine).scales == tuple(1 + (i - 5) / 50 for i in range(11))
    assert transforms(lucid, RandomAffine).degrees == (*range(-10, 11), 0, 0, 0, 0, 0)
