"""One use of an ONNX operator: its inputs, its attributes, and which edition of the standard they follow."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

# What does not depend on weights or images is a numpy array, known while the network is traced.
Array = Any
# From a call to its output, or a tuple of its outputs.
Operator = Callable[["Call"], Any]


@dataclass(frozen=True)
class Call:
    """The inputs of a node, None where one is left out, and its attributes as Python values."""

    inputs: tuple[Array, ...]
    attributes: Mapping[str, Any]
    opset: int
    outputs: int = 1

    def input(self, number: int) -> Array:
        """An input, or None where it is left out."""
        return self.inputs[number] if number < len(self.inputs) else None

    def get(self, name: str, default: Any) -> Any:
        """An attribute, or the standard's default."""
        return self.attributes.get(name, default)

    def static(self, number: int, *, attribute: str = "") -> np.ndarray | None:
        """What must be known while the network is traced: an input, or in older editions an attribute.

        Raises: ValueError if it depends on the image or the weights.
        """
        value = self.input(number)
        if isinstance(value, jax.Array):
            raise ValueError(f"its input {number} depends on the image; expected a constant")
        if value is None and attribute in self.attributes:
            value = np.asarray(self.attributes[attribute])
        return None if value is None else np.asarray(value)

    def whole_numbers(self, number: int, *, attribute: str = "") -> tuple[int, ...] | None:
        """The same as whole numbers."""
        value = self.static(number, attribute=attribute)
        return None if value is None else tuple(int(each) for each in value.reshape(-1))
