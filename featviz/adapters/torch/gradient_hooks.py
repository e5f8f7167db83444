"""Hooks on gradients, as of Grad-CAM: there is no gradient while a module is run and exported, and none is called.

A forward may register them only where there is a gradient (`if y.requires_grad: y.register_hook(...)`). So a forward
that asks is run once more, on a copy, with the answer that there is one, to see what it would register.
"""

import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from featviz.adapters.torch.module_copies import copy_beside
from featviz.adapters.torch.module_runs import StoppedError, run_once

if TYPE_CHECKING:
    import torch


def hooked_modules(module: "torch.nn.Module") -> Iterator[str]:
    """The modules with hooks on their gradients, by path; the class of the module itself."""
    for path, each in module.named_modules():
        if each._backward_hooks or each._backward_pre_hooks:
            yield path or type(each).__name__


def hooks_with_gradients(module: "torch.nn.Module", images: "torch.Tensor", *, upto: str | None = None) -> set[str]:
    """What in a module hooks are registered on where it is told that there are gradients, as far as it runs so.

    Args:
        module: The module, which stays as it is.
        images: Images.
        upto: The path of the module within that the run ends behind.
    """
    import torch

    found: set[str] = set()
    copied = copy_beside(module)
    # There is none in truth: what arrays say of themselves is enough.
    with passive_hooks(found=found), _answering(_has_gradient, lambda: True), suppress(StoppedError):
        run_once(copied, images, upto=upto, gradients=torch.enable_grad)
    return found


def _has_gradient(tensor: Any, answer: bool) -> bool:
    import torch

    return answer or (tensor.is_floating_point() and not isinstance(tensor, torch.nn.Parameter))


@contextmanager
def gradients_asked_for(asked: set[str]) -> Iterator[None]:
    """While it is open, `asked` takes by which name code outside PyTorch asks whether there are gradients, in vain."""
    import torch

    enabled = torch.is_grad_enabled

    def note(tensor: Any, answer: bool) -> bool:
        if not answer and tensor.is_floating_point() and not isinstance(tensor, torch.nn.Parameter):
            asked.add("requires_grad")
        return answer

    def note_enabled() -> bool:
        if not (answer := enabled()):
            asked.add("is_grad_enabled")
        return answer

    with _answering(note, note_enabled):
        yield


@contextmanager
def _answering(of_array: Callable[[Any, bool], bool], enabled: Callable[[], bool]) -> Iterator[None]:
    """While it is open, code outside PyTorch gets these answers to `requires_grad` and `torch.is_grad_enabled()`.

    Args:
        of_array: From an array and PyTorch's answer to what is answered.
        enabled: What is answered.
    """
    import torch

    kind: Any = torch.Tensor
    flag, own = kind.requires_grad, torch.is_grad_enabled

    def get(tensor: Any) -> bool:
        answer = bool(flag.__get__(tensor))
        return of_array(tensor, answer) if _called_by_user() else answer

    kind.requires_grad = property(get, flag.__set__)
    torch.is_grad_enabled = lambda: enabled() if _called_by_user() else own()
    try:
        yield
    finally:
        del kind.requires_grad
        torch.is_grad_enabled = own


def _called_by_user() -> bool:
    """Whether the function that calls this one was called from outside PyTorch and featviz."""
    caller = sys._getframe(2).f_globals.get("__name__", "")
    return caller.partition(".")[0] not in ("torch", "featviz")


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
