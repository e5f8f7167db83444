"""A user's `autograd.Function`s, and whether their backward is the derivative of their forward."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@contextmanager
def differing_backwards(names: set[str]) -> Iterator[None]:
    """While it is open, `names` takes the functions that run and whose backward is not the derivative of their forward.

    Straight-through estimators and relaxed gradients are such, a function that only saves memory is not.
    """
    import torch

    kinds = [kind for kind in _subclasses(torch.autograd.Function) if kind.__module__.partition(".")[0] != "torch"]
    own = {kind: kind.__dict__.get("forward") for kind in kinds}
    for kind in kinds:
        # `apply` may be bound already; it looks `forward` up at each call.
        kind.forward = staticmethod(_watched_forward(kind, kind.forward, names))
    try:
        yield
    finally:
        for kind, forward in own.items():
            if forward is None:
                del kind.forward
            else:
                kind.forward = forward


def _subclasses(kind: Any) -> list[Any]:
    return [one for child in kind.__subclasses__() for one in (child, *_subclasses(child))]


def _watched_forward(kind: Any, forward: Any, names: set[str]) -> Any:
    import torch

    # Without a function that sets the context up, the context is the first argument.
    takes_context = kind.setup_context is torch.autograd.Function.setup_context
    seen: list[Any] = []

    def watched(*args: Any) -> Any:
        if not seen:
            seen.append(args)
            if _differs(kind, forward, args[1:] if takes_context else args, takes_context):
                names.add(kind.__qualname__)
        return forward(*args)

    return watched


def _differs(kind: Any, forward: Any, args: tuple[Any, ...], takes_context: bool) -> bool:
    """Whether the function's gradient is not its forward's; True also where one of them cannot be computed."""
    import torch

    def run(*values: Any) -> Any:
        return forward(*([torch.autograd.function.FunctionCtx()] if takes_context else []), *values)

    try:
        with torch.enable_grad():
            own, derived = _gradients(kind.apply, args), _gradients(run, args)
    # A user's function may raise anything.
    except Exception:
        return True
    return not all(torch.allclose(one, other, rtol=1e-3, atol=1e-5) for one, other in zip(own, derived, strict=True))


def _gradients(function: Any, args: tuple[Any, ...]) -> "list[torch.Tensor]":
    """The gradients of a weighted sum of what a function returns, by its arguments of floats."""
    import torch

    def spread(tensor: torch.Tensor, low: float) -> torch.Tensor:
        return torch.linspace(low, 1.5, tensor.numel(), dtype=tensor.dtype).reshape(tensor.shape)

    is_float = [isinstance(arg, torch.Tensor) and arg.is_floating_point() for arg in args]
    # Spread out, since the images of the run are all alike.
    values = [
        (arg.detach() + spread(arg, -1.5)).requires_grad_() if kept else arg
        for arg, kept in zip(args, is_float, strict=True)
    ]
    inputs = [value for value, kept in zip(values, is_float, strict=True) if kept]
    # Functions may write to what they are given.
    output = function(*(value.clone() if kept else value for value, kept in zip(values, is_float, strict=True)))
    parts = [part for part in (output if isinstance(output, list | tuple) else [output]) if torch.is_tensor(part)]
    total = torch.stack([(part * spread(part, 0.5)).sum() for part in parts]).sum()
    found = torch.autograd.grad(total, inputs, allow_unused=True)
    return [
        torch.zeros_like(value) if gradient is None else gradient for value, gradient in zip(inputs, found, strict=True)
    ]
