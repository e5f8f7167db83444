"""What is known of the axes of a program's values, as far as it was followed."""

from typing import NamedTuple

from featviz.tracing.factors import NOWHERE, Factor, Layout, Origin, Role, axis
from featviz.tracing.program import Value


class Evidence(NamedTuple):
    """What a whole program says of factors: which are added to positions, and which convolutions take for features."""

    placed: frozenset[Origin]
    features: frozenset[Origin]


class Axes(NamedTuple):
    """What is known of a program's axes; filled step by step.

    Attributes:
        layouts: The layout of each value that depends on the images.
        variable: The values that depend on any input; all others are constants.
        joined: Pairs of factors of different roles that sums and the like brought together.
        features: Where the factors come from that convolutions take for features.
        vectors: The values that are vectors of weights along one axis, as a normalization's scales and biases are.
        within: The numbers of the steps that the program is inside of, scans within scans.
    """

    layouts: dict[Value, Layout]
    variable: set[Value]
    joined: set[tuple[Factor, Factor]]
    features: set[Origin]
    vectors: dict[Value, int]
    within: tuple[int, ...] = ()

    def evidence(self) -> Evidence:
        """What the program says of factors, once it was followed to its end."""
        placed: set[Origin] = set()
        for pair in self.joined:
            for factor, other in (pair, pair[::-1]):
                if other.role == Role.PLACES:
                    placed.update((factor.made, factor.part[:end]) for end in range(len(factor.part) + 1))
        return Evidence(frozenset(placed), frozenset(self.features))


def image_layout(shape: tuple[int, ...], channel_axis: int) -> Layout:
    """The layout of encoded images: (n, height, width, channels), or channels first."""
    roles = [Role.PLACES] * len(shape)
    roles[0], roles[channel_axis] = Role.IMAGES, Role.UNITS
    return tuple(axis(role, size, NOWHERE) for role, size in zip(roles, shape, strict=True))
