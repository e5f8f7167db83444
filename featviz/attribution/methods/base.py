"""The contract of an attribution method."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from jaxtyping import Array, Float

from featviz.attribution.behind import Problem
from featviz.errors import FeatvizError
from featviz.tracing.evaluation import Rule
from featviz.tracing.program import Program, Value


class Method(ABC):
    """How a score is divided among the units and positions of a layer. Frozen and hashable: it is part of a program.

    Attributes:
        name: What tables and pages call it.
        complete: Whether the attributions sum to the score less the baseline's, as far as the method's own error.
        per_unit: Whether it tells units apart.
        per_position: Whether it tells positions apart.
        by_activation: Whether it divides the score at the layer's activation less that at the baseline, rather than
            over a path of images. Only then is there an attribution for a part of the activation.
    """

    name: ClassVar[str]
    complete: ClassVar[bool] = False
    per_unit: ClassVar[bool] = True
    per_position: ClassVar[bool] = True
    by_activation: ClassVar[bool] = True

    @abstractmethod
    def attribute(self, problem: Problem) -> Float[Array, "*positions units"]:
        """The attributions; an axis that the method does not tell apart has one element."""

    @property
    def words(self) -> str:
        """What pages call it, with what it was told."""
        return self.name

    def rules(self, program: Program, varying: set[Value]) -> Sequence[Rule]:
        """Gradient rules for the part of the network behind the layer, whose values `varying` depend on it."""
        return ()


def check_method(method: Any, *, per_unit: bool = False) -> None:
    """Refuses what is not a method; None is the default one.

    Args:
      method: what was given as `method`.
      per_unit: whether it has to tell units apart.

    Raises:
      FeatvizError: if it is none, or does not.
    """
    if method is None:
        return
    if not isinstance(method, Method):
        raise FeatvizError(f"`method` is {method!r}; expected one of fv.attribution, such as Relevance()")
    if per_unit and not method.per_unit:
        raise FeatvizError(f"`method` is {method.name}, which does not tell units apart; expected another")
