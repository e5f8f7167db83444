"""Logits: the score of a class, before the softmax."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import overload

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from featviz.common.arguments import as_int, is_sequence
from featviz.model import OUTPUT, Activations
from featviz.objectives.base import Index, Shapes, Term
from featviz.objectives.objective import Examples, Objective, single
from featviz.objectives.positions import check_unit, position_mean
from featviz.objectives.target_forms import TargetForm, UnitsOf


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Logit(Term):
    """The network's output `unit`, before any softmax; its mean over positions if the output has positions."""

    unit: Index

    @property
    def layers(self) -> tuple[str, ...]:
        return (OUTPUT,)

    @property
    def label(self) -> str:
        return f"logit:{int(self.unit)}"

    @property
    def target(self) -> str:
        return self.label

    @property
    def class_index(self) -> int:
        return int(self.unit)

    def value(self, activations: Activations) -> Float[Array, " n"]:
        return position_mean(jnp.take(activations[OUTPUT], self.unit, axis=-1))

    def check(self, shapes: Shapes) -> None:
        check_unit("the output", self.unit, shapes[OUTPUT])


@overload
def logit(unit: int) -> Objective: ...
@overload
def logit(unit: Iterable[int]) -> list[Objective]: ...
def logit(unit: int | Iterable[int]) -> Objective | list[Objective]:
    """A class of the network: its output `unit`, before the softmax (Simonyan et al. 2013).

    Args:
      unit: the index of the class, from 0, or several of them. `model.class_index("goldfish")` finds it by name.

    Returns:
      The objective; for several classes a list of objectives.

    Raises:
      FeatvizError: for an index that is not an integer; by `render`, for one that the output lacks.

    >>> float(logit(1)({OUTPUT: jnp.array([[0.5, 2.0]])})[0])
    2.0
    """
    if is_sequence(unit):
        return [logit(index) for index in unit]
    return single(Logit(as_int("unit", unit, example="1, or model.class_index('goldfish')")))


LOGIT_FORM = TargetForm(r"(?P<unit>\d+)", "5", lambda source, match: logit(int(match["unit"])), units_of=UnitsOf.OUTPUT)
# Any other text is the name of a class, which the model knows.
CLASS_FORM = TargetForm(
    r".*[^\d@x-].*", "tabby", lambda source, match: logit(source.model.class_index(match[0])), units_of=UnitsOf.OUTPUT
)
EXAMPLES: Examples = {"logit": lambda layer, shape: logit(6)}
