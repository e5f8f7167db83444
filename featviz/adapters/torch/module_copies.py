"""Copies of a user's module, which leave it as it is, and the tensors that it holds, by path."""

import copy
import inspect
import sys
from collections.abc import Iterator, Sequence
from types import CellType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from featviz.errors import FeatvizError, in_one_line

if TYPE_CHECKING:
    import torch


# The names by which wrappers hold their module: of torch.compile, checkpointing and FSDP.
WRAPPED = ("_orig_mod", "_checkpoint_wrapped_module", "_fsdp_wrapped_module")

# Where PyTorch has its modules of packed integers.
QUANTIZED = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized", "torch.nn.quantized")


def unwrapped(module: "torch.nn.Module") -> "torch.nn.Module":
    """A module without the wrappers around it."""
    import torch

    if isinstance(module, torch.nn.DataParallel | torch.nn.parallel.DistributedDataParallel):
        return unwrapped(module.module)
    inner = next((module._modules[name] for name in WRAPPED if name in module._modules), None)
    return module if inner is None else unwrapped(inner)


def named_tensors(module: "torch.nn.Module") -> Iterator[tuple[str, "torch.Tensor"]]:
    """Parameters and buffers by path, those that are shared once."""
    yield from module.named_parameters()
    yield from module.named_buffers()


def shared_names(module: "torch.nn.Module") -> Iterator[tuple[str, str]]:
    """Each further path of a parameter or buffer, and its first."""
    first: dict[int, str] = {id(tensor): path for path, tensor in named_tensors(module)}
    for named in (module.named_parameters, module.named_buffers):
        for path, tensor in named(remove_duplicate=False):
            if first[id(tensor)] != path:
                yield path, first[id(tensor)]


def plain_tensors(module: "torch.nn.Module") -> Iterator[tuple[str, "torch.Tensor"]]:
    """Tensors that modules hold as plain attributes, or in lists and dicts of attributes."""
    import torch

    for path, each in module.named_modules():
        for name, value in vars(each).items():
            if name not in ("_parameters", "_buffers", "_modules"):
                for part, tensor in _within(value, 0):
                    if isinstance(tensor, torch.Tensor):
                        yield ".".join(filter(None, (path, name, part))), tensor


def _within(value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    parts: Sequence[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        parts = list(value.items())
    elif isinstance(value, list | tuple):
        parts = list(enumerate(value))
    else:
        yield "", value
    for name, part in parts if depth < 4 else ():
        for rest, leaf in _within(part, depth + 1):
            yield f"{name}.{rest}" if rest else str(name), leaf


def fresh_copy(module: "torch.nn.Module") -> "torch.nn.Module":
    """A copy that shares its tensors: what it keeps of an export is thrown away with it."""
    tensors = [tensor for _, tensor in (*named_tensors(module), *plain_tensors(module))]
    return _deep_copy(module, {id(tensor): tensor for tensor in tensors})


def copy_beside(module: "torch.nn.Module") -> "torch.nn.Module":
    """A copy that shares its parameters alone: what a run writes to buffers and tables stays with it."""
    return _deep_copy(module, {id(tensor): tensor for tensor in module.parameters()})


def _deep_copy(module: "torch.nn.Module", memo: dict[int, Any]) -> "torch.nn.Module":
    """A copy whose functions and hooks hold its own modules and lists, not those of the original."""
    copied: torch.nn.Module = copy.deepcopy(module, memo)
    for each in copied.modules():
        for named in (vars(each), each._forward_hooks, each._forward_pre_hooks):
            for name, value in [*named.items()]:
                if isinstance(value, FunctionType) and value.__closure__:
                    named[name] = _rebound(value, memo)
    return copied


def _rebound(function: FunctionType, memo: dict[int, Any]) -> FunctionType:
    """A function with the copies of what it holds."""
    cells = function.__closure__ or ()
    held = [memo.get(id(cell.cell_contents), cell.cell_contents) for cell in cells]
    if all(new is cell.cell_contents for new, cell in zip(held, cells, strict=True)):
        return function
    changed = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, tuple(map(CellType, held))
    )
    changed.__kwdefaults__ = function.__kwdefaults__
    vars(changed).update(vars(function))
    return changed


def still_observers(module: "torch.nn.Module") -> bool:
    """Has a copy that is trained for quantization keep its ranges, as `disable_observer` does; whether it had not.

    Modules that only observe pass on what they are given.
    """
    import torch

    if "torch.ao.quantization" not in sys.modules:
        return False
    from torch.ao.quantization import FakeQuantizeBase, ObserverBase

    changed = False
    for parent in module.modules():
        for name, child in parent.named_children():
            if isinstance(child, FakeQuantizeBase) and bool(child.observer_enabled.any()):
                child.disable_observer()
                changed = True
            # A fake quantization's own observer still has its range.
            elif isinstance(child, ObserverBase) and not isinstance(parent, FakeQuantizeBase):
                parent._modules[name] = torch.nn.Identity()
                changed = True
    return changed


def detached_copy(module: "torch.nn.Module", *, single_precision: bool = True) -> "torch.nn.Module":
    """A copy in `eval` mode, which nothing that happens to the module reaches.

    Args:
        module: The user's module.
        single_precision: Whether floating tensors become float32.

    Raises:
        FeatvizError: If a tensor has no values that can be copied, or an attribute cannot be copied.
    """
    import torch

    for path, each in module.named_modules():
        if isinstance(each, torch.jit.ScriptModule):
            raise FeatvizError(f"`{path}` is compiled by torch.jit; expected a `module` of PyTorch's own modules")
        if type(each).__module__.startswith(QUANTIZED):
            raise FeatvizError(f"`{path}` is quantized; expected the `module` of floats that it was made from")
    memo: dict[int, Any] = {}
    for path, tensor in (*named_tensors(module), *plain_tensors(module)):
        if torch.nn.parameter.is_lazy(tensor):
            raise FeatvizError(f"`{path}` has no values yet; expected a `module` that was called once")
        kind = "is on the device `meta`" if tensor.is_meta else "is quantized" if tensor.is_quantized else ""
        kind = kind or ("" if tensor.layout == torch.strided else "is sparse")
        if kind:
            raise FeatvizError(f"`{path}` {kind}; expected a `module` of dense tensors with values")
        plain = tensor.detach().cpu()
        plain = (plain.float() if single_precision and plain.is_floating_point() else plain).clone()
        memo[id(tensor)] = torch.nn.Parameter(plain, False) if isinstance(tensor, torch.nn.Parameter) else plain
    try:
        copied = _deep_copy(module, memo)
    # A user's object may raise anything.
    except Exception as error:
        raise FeatvizError(
            f"{type(module).__name__} cannot be copied ({in_one_line(error)}); expected a `module` whose attributes "
            "can be, without tensors of a graph"
        ) from error
    for each in [*copied.modules()]:
        each.training = False
        for name, child in each.named_children():
            each._modules[name] = unwrapped(child)
        # Compiled, it is a function that still runs the user's own module.
        forward: Any = vars(each).get("forward")
        if getattr(forward, "_torchdynamo_orig_callable", None) is not None:
            original = inspect.unwrap(forward)
            if isinstance(original, MethodType):
                each.forward = MethodType(original.__func__, each)
    return copied
