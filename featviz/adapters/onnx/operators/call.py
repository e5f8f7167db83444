"""One call of an ONNX operator: its inputs, its attributes, and the version of the standard that they follow."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

# A NumPy array where it does not depend on weights or images; it is then known while the network is traced.
Array = Any
# From a call to its output, or to a tuple of its outputs.
Operator = Callable[["Call"], Any]


@dataclass(frozen=True)
class Call:
    """The inputs of a node, None where one is omitted, and its attributes as Python values."""

    inputs: tuple[Array, ...]
    attributes: Mapping[str, Any]
    opset: int
    outputs: int = 1

    def input(self, index: int) -> Array:
        """An input, or None where it is omitted."""
        return self.inputs[index] if index < len(self.inputs) else None

    def get(self, name: str, default: Any) -> Any:
        """An attribute, or the standard's default."""
        return self.attributes.get(name, default)

    def static(self, index: int, *, attribute: str = "") -> np.ndarray | None:
        """An input that must be known while the network is traced; in older versions of the standard, an attribute.

        Raises:
            ValueError: If it depends on the image or the weights.
        """
        value = self.input(index)
        if isinstance(value, jax.Array):
            raise ValueError(f"its input {index} depends on the image; expected a constant")
        if value is None and attribute in self.attributes:
            value = np.asarray(self.attributes[attribute])
        return None if value is None else np.asarray(value)

    def static_ints(self, index: int, *, attribute: str = "") -> tuple[int, ...] | None:
        """The same as a tuple of integers."""
        value = self.static(index, attribute=attribute)
        return None if value is None else tuple(int(item) for item in value.reshape(-1))
