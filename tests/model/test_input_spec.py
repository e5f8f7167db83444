"""InputSpec: accepted and refused values."""

import numpy as np
import pytest
from flax import linen as nn
from flax import nnx

import featviz as fv


def test_one_number_stands_for_both_sides_and_for_every_channel():
    assert fv.InputSpec(size=32) == fv.InputSpec(size=(32, 32))
    assert fv.InputSpec(size=[24, 32], mean=0.5, std=[0.1, 0.2, 0.3]) == fv.InputSpec(
        size=(24, 32), mean=(0.5,), std=(0.1, 0.2, 0.3)
    )
    spec = fv.InputSpec(size=np.array([24, 32]), mean=np.float32(0.5))
    assert spec.size == (24, 32) and hash(spec) == hash(fv.InputSpec(size=(24, 32), mean=0.5))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"size": "32"}, "`size` is '32'; expected pixels per side, such as 224, or (height, width)"),
        ({"size": (3, 32, 32)}, "`size` is (3, 32, 32); expected pixels per side, such as 224, or (height, width)"),
        ({"size": 0}, "`size` is 0; expected pixels per side, such as 224, or (height, width)"),
        ({"size": 32.0}, "`size` is 32.0; expected pixels per side, such as 224, or (height, width)"),
        ({"channels": 0}, "`channels` is 0; expected a whole number of 1 or more, such as 3"),
        ({"mean": "imagenet"}, "`mean` is 'imagenet'; expected a number, or one per channel, such as (0.5, 0.5, 0.5)"),
        ({"std": (1.0, 2.0)}, "`std` has 2 values; expected 1 or 3, one per channel"),
        ({"multiple": 0}, "`multiple` is 0; expected a divisor of the sides (32, 32)"),
        ({"multiple": 16.0}, "`multiple` is 16.0; expected a divisor of the sides (32, 32)"),
    ],
)
def test_an_invalid_value_is_refused(values, says):
    with pytest.raises(fv.FeatvizError) as error:
        fv.InputSpec(**{"size": 32, **values})
    assert str(error.value) == says


def bare(weights, images):
    return images @ weights


class Dense(nn.Module):
    @nn.compact
    def __call__(self, images):
        return nn.Dense(4, name="dense")(images)


DENSE = {"params": {"dense": {"kernel": np.ones((3, 4)), "bias": np.ones(4)}}}
ADAPTERS = {
    "Sequential": lambda **options: fv.from_nnx(nnx.Sequential(nnx.Linear(3, 4, rngs=nnx.Rngs(0))), **options),
    "Dense": lambda **options: fv.from_linen(Dense(), DENSE, **options),
    "`bare`": lambda **options: fv.from_function(bare, np.ones((3, 4)), **options),
}


@pytest.mark.parametrize("network", ADAPTERS)
@pytest.mark.parametrize("given", [{}, {"input": 224}])
def test_the_error_for_a_missing_input_offers_one_to_paste(network, given):
    with pytest.raises(fv.FeatvizError) as error:
        ADAPTERS[network](**given)
    text = str(error.value)
    found = given.get("input")
    assert text.startswith(f"`input` is {found}; expected how {network} takes its images, ")
    spec = eval(text[text.index("`input=") :].strip("`").removeprefix("input="))
    assert spec == fv.InputSpec(size=224, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    assert ADAPTERS[network](input=spec).input == spec


def test_an_argument_that_is_not_a_network_is_refused():
    with pytest.raises(fv.FeatvizError, match="`module` is a str; expected an instance of a flax.linen.Module"):
        fv.from_linen("net", {}, input=fv.InputSpec(size=8))
    with pytest.raises(fv.FeatvizError, match="`function` is a str; expected one of"):
        fv.from_function("net", {}, input=fv.InputSpec(size=8))
