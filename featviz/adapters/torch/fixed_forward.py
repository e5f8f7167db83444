"""A module of several inputs called with its image alone: the others are buffers of a copy."""

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from featviz.adapters.fixed_inputs import Fixed, check_fixed, image_input
from featviz.adapters.torch.module_copies import detached_copy

if TYPE_CHECKING:
    import torch

# Begins the names of the buffers that hold the arrays.
BUFFER = "fixed_"


class FixedForward:
    """A module's forward as a function of its image.

    Attributes:
        call: The forward itself, a bound method, so that copies of the module call their own.
        image: The parameter that takes the image.
        names: The parameters that buffers are given to.
    """

    def __init__(self, call: Any, image: str, names: tuple[str, ...]) -> None:
        self.call, self.image, self.names = call, image, names

    def __call__(self, images: "torch.Tensor") -> Any:
        """What the module returns for images, with each array repeated for all of them."""
        module = self.call.__self__
        given = {name: _repeat(getattr(module, BUFFER + name), images.shape[0]) for name in self.names}
        return self.call(**{self.image: images}, **given)


def prepared_copies(module: "torch.nn.Module", fixed: Fixed | None, name: str) -> Iterator["torch.nn.Module"]:
    """Copies of a user's module that take its image alone; the first that runs is right.

    A forward that converts its images to half precision itself wants weights of the same, and arrays for one image may
    have an axis of the batch or none.

    Args:
        module: The user's module, which is left as it is.
        fixed: An array for each further parameter of its forward.
        name: What messages call the network.

    Raises:
        FeatvizError: See `hold_fixed` and `detached_copy`.
    """
    for single, batched in ((True, False), (False, False), *([(True, True)] if fixed else [])):
        copied = detached_copy(module, single_precision=single)
        hold_fixed(copied, fixed, name, batched=batched)
        yield copied


def hold_fixed(module: "torch.nn.Module", fixed: Fixed | None, name: str, *, batched: bool = False) -> None:
    """Makes a copy of a user's module take its image alone.

    Args:
        module: The copy, which is changed.
        fixed: An array for each further parameter of its forward; an axis of 1 at the front is the batch.
        name: What messages call the network.
        batched: Whether each array that is no single number gets such an axis.

    Raises:
        FeatvizError: If the forward takes other inputs beside one image and those of `fixed`, or lacks one of these.
    """
    import torch

    parameters = inspect.signature(module.forward).parameters.values()
    known = [each.name for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
    required = [each.name for each in parameters if each.name in known and each.default is each.empty]
    if not fixed and len(required) < 2:
        return
    others = [each for each in known if each not in (fixed or {})]
    takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters)
    needed = [each for each in required if each not in (fixed or {})] or others[:1]
    inputs = dict.fromkeys([*needed, *(each for each in fixed or {} if each in known or takes_any)])
    image = image_input(name, inputs, fixed)
    arrays = check_fixed(name, inputs, fixed)
    for key, array in arrays.items():
        # Copied: what the user does to the array later does not reach the network.
        module.register_buffer(
            BUFFER + key, torch.from_numpy(np.array(array[None] if batched and array.ndim else array))
        )
    module.forward = FixedForward(module.forward, image, tuple(arrays))


def _repeat(tensor: "torch.Tensor", count: Any) -> "torch.Tensor":
    if tensor.ndim == 0 or tensor.shape[0] != 1:
        return tensor
    return tensor.expand(count, *tensor.shape[1:])
