"""The contract of an attribution method."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from jaxtyping import Array, Float

from featviz.attribution.behind import Problem
from featviz.tracing.evaluation import Rule
from featviz.tracing.program import Program, Value


class Method(ABC):
    """How a score is divided among the units and positions of a layer. Frozen and hashable: it is part of a program.

    Attributes:
        name: What tables and pages call it.
        complete: Whether the attributions sum to the score less the baseline's, as far as the method's own error.
        per_unit: Whether it tells units apart.
        per_position: Whether it tells positions apart.
    """

    name: ClassVar[str]
    complete: ClassVar[bool] = False
    per_unit: ClassVar[bool] = True
    per_position: ClassVar[bool] = True

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
