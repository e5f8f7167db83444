"""Marks of what a forward computes under `torch.no_grad`, which an export drops.

What is written in place there, or through `x.detach()` and `x.data`, changes values alone: the gradient goes by it, to
what the array was before.
"""

import sys
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

from featviz.adapters.torch.known_values import WRITES

if TYPE_CHECKING:
    import torch
    from torch.overrides import TorchFunctionMode


def mark_part(tensor: "torch.Tensor") -> "torch.Tensor":
    """A view of all of a tensor as a step that nothing else records; a slice of all, such as `x[:]`, is an alias."""
    import torch

    return torch.ops.aten.expand.default(tensor, [-1] * tensor.ndim, implicit=True)


def is_mark(node: "torch.fx.Node") -> bool:
    """Whether a step of a graph is one of `mark_part`."""
    import torch

    return node.target is torch.ops.aten.expand.default and bool(node.kwargs.get("implicit"))


def marked_parts() -> "TorchFunctionMode":
    """While it is open, each array of floats that is computed under `no_grad` becomes a view of itself, which marks it.

    The export must run with gradients enabled, since `no_grad` restores at its end what it has found.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    class Mode(TorchFunctionMode):
        def __init__(self) -> None:
            super().__init__()
            self.enabled = True
            # Arrays that were made under `no_grad`, and by the results of `detach`, the arrays themselves; all are kept
            # with their keys, so that no other takes their identity.
            self.made: dict[int, torch.Tensor] = {}
            self.detached: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

        def __torch_function__(self, function: Any, kinds: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            if function is torch._C._set_grad_enabled:
                # Recorded, it would split the graph.
                with torch._C.DisableTorchFunction():
                    function(*args)
                if not _in_custom_function():
                    self.enabled = bool(args[0])
                return None
            name = getattr(function, "__name__", "")
            written = self.find_written(args[0]) if args and WRITES.fullmatch(name) else None
            before: Any = None if written is None else written.clone()
            result = function(*args, **kwargs)
            if written is not None:
                # Not a number less itself where it is infinite.
                written.copy_(written.detach() + torch.nan_to_num(before - before.detach(), 0.0, 0.0, 0.0))
            if name == "detach" and isinstance(result, torch.Tensor):
                self.detached[id(result)] = result, args[0]
            if self.enabled and not torch.is_inference_mode_enabled():
                return result
            return _marked(result, [*args, *kwargs.values()], self.made)

        def find_written(self, target: Any) -> Any:
            """The array of floats that a function writes to behind the gradient's back; None where it does not."""
            if not isinstance(target, torch.Tensor) or not target.is_floating_point():
                return None
            whole = target if target._base is None else target._base
            detached = self.detached.get(id(target), self.detached.get(id(whole), (None, None)))[1]
            if detached is None and not self.enabled and id(whole) not in self.made and id(target) not in self.made:
                detached = whole
            return None if isinstance(detached, torch.nn.Parameter) else detached

    return Mode()


def _in_custom_function() -> bool:
    """Whether the caller is in the forward of an `autograd.Function`, such as checkpointing, which has its backward."""
    import torch

    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if any(isinstance(frame.f_locals.get(name), torch._C._FunctionBase) for name in frame.f_code.co_varnames[:1]):
            return True
        frame = frame.f_back
    return False


def _marked(result: Any, given: Sequence[Any], made: dict[int, Any]) -> Any:
    """A function's result as aliases of its arrays of floats, but for those that it was given and wrote to.

    Args:
        result: The result.
        given: What the function was given.
        made: Takes the aliases, by their identity.
    """
    import torch

    if isinstance(result, torch.Tensor):
        is_given = isinstance(result, torch.nn.Parameter) or any(result is each for each in given)
        if is_given or not result.is_floating_point():
            return result
        alias = mark_part(result)
        made[id(alias)] = alias
        return alias
    if type(result) in (list, tuple):
        return type(result)(_marked(part, given, made) for part in result)
    # The named results of `max` and its kin.
    return type(result)([_marked(part, given, made) for part in result]) if hasattr(result, "n_fields") else result
