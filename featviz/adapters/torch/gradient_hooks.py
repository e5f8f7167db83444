"""Hooks on gradients, as of Grad-CAM: there is no gradient while a module is run and exported, and none is called."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def hooked_modules(module: "torch.nn.Module") -> Iterator[str]:
    """The modules with hooks on their gradients, by path; the class of the module itself."""
    for path, each in module.named_modules():
        if each._backward_hooks or each._backward_pre_hooks:
            yield path or type(each).__name__


@contextmanager
def passive_hooks(*, found: set[str] | None = None) -> Iterator[None]:
    """While it is open, arrays without a gradient take hooks, and are asked to keep their gradient, in vain.

    PyTorch raises an exception there. `found` takes what hooks were registered on.
    """
    import torch

    kind: Any = torch.Tensor
    register, retain = kind.register_hook, kind.retain_grad

    def register_hook(tensor: Any, hook: Any) -> Any:
        if found is not None:
            found.add("an array")
        return register(tensor, hook) if tensor.requires_grad else torch.utils.hooks.RemovableHandle(OrderedDict())

    def retain_grad(tensor: Any) -> None:
        if tensor.requires_grad:
            retain(tensor)

    own = {name: vars(kind).get(name) for name in ("register_hook", "retain_grad")}
    kind.register_hook, kind.retain_grad = register_hook, retain_grad
    try:
        yield
    finally:
        for name, method in own.items():
            # One of the two is inherited.
            if method is None:
                delattr(kind, name)
            else:
                setattr(kind, name, method)
