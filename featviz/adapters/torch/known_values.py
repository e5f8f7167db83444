"""Values that a forward reads and that no image decides: an export has them where PyTorch would end it.

`x[:, self.mask]` has as many results as the mask has places, and `if self.flag:` goes one way or the other. Arrays have
no values while an export runs. Here those have them that hold no weight: the booleans and whole numbers that a module
keeps, those that its forward makes, and what is computed of them and of nothing else. The graph has a mask's places in
its stead. Questions after values that are not finite, `assert not x.isnan().any()`, are answered as for finite ones.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

# Methods that give a value itself.
READS = frozenset({"item", "tolist", "numpy", "__array__", "__bool__", "__int__", "__float__", "__index__", "_assert"})
# What they answer of each finite value.
CHECKS = {"isnan": False, "isinf": False, "isneginf": False, "isposinf": False, "isfinite": True}
# Functions whose results have as many elements as the values say.
COUNTED = frozenset({"nonzero", "argwhere", "masked_select", "_unique2", "unique", "unique_consecutive", "bincount"})
# Functions that give other values in each call.
UNDECIDED = re.compile(
    r"_?(new_)?(rand|empty|normal|bernoulli|multinomial|poisson|uniform|exponential|cauchy|geometric)"
)
# Functions that take a key.
INDEXED = frozenset({"__getitem__", "__setitem__"})
# Functions that write to their first argument: `add_`, `__iadd__`.
WRITES = re.compile(r"[a-z]\w*[a-z0-9]_|__set(item)?__|__i[a-z]+__")
# Elements of an array whose values are followed.
LIMIT = 2**22


def discrete_buffers(module: "torch.nn.Module") -> dict[str, "torch.Tensor"]:
    """Copies of the buffers of booleans and whole numbers, by all their paths."""
    named = module.named_buffers(remove_duplicate=False)
    return {path: tensor.detach().clone() for path, tensor in named if _is_discrete(tensor)}


class KnownValues:
    """Arrays with values, for those of an export, which have none.

    Attributes:
        twins: By an array's identity, that array, so that no other takes its identity, and the one with values; None in
            its place where an image or a weight was written to it.
        checks: Likewise the answers, and what is computed of them, to whether values are finite; of one element.
    """

    def __init__(self, module: "torch.nn.Module", buffers: Mapping[str, "torch.Tensor"]) -> None:
        import torch

        self.twins: dict[int, tuple[torch.Tensor, torch.Tensor | None]] = {}
        self.checks: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        for path, tensor in module.named_buffers(remove_duplicate=False):
            if path in buffers:
                self.twins[id(tensor)] = tensor, outside(torch.clone, buffers[path])

    def find(self, value: Any) -> Any:
        """An array's values, None where an image or a weight decides them."""
        import torch

        if id(value) in self.twins:
            return self.twins[id(value)][1]
        if type(value) is not torch.Tensor or torch._is_functional_tensor(value) or not _is_discrete(value):
            return None
        self.twins[id(value)] = value, outside(lambda: value.detach().clone())
        return self.twins[id(value)][1]

    def answer(self, value: Any) -> Any:
        """An array's values, also where they say of an image's whether they are finite."""
        return self.checks[id(value)][1] if id(value) in self.checks else self.find(value)

    def all_known(self, *args: Any, find: Callable[[Any], Any] | None = None) -> bool:
        """Whether all arrays within arguments have values, and no size within is left open."""
        import torch

        open_sizes = torch.SymInt | torch.SymFloat | torch.SymBool
        return not any(
            isinstance(leaf, open_sizes) or (isinstance(leaf, torch.Tensor) and (find or self.find)(leaf) is None)
            for leaf in _leaves(args)
        )

    def compute(self, function: Any, args: Any, kwargs: Any, *, find: Callable[[Any], Any] | None = None) -> Any:
        """A function's result for the values."""
        find = find or self.find
        return outside(function, *_replace(args, find), **_replace(kwargs, find))

    def follow(self, function: Any, name: str, args: Any, kwargs: Any, result: Any) -> None:
        """Finds the values of a result, and of what was written to."""
        import torch

        made = _tensors(result)
        if not made and name not in ("__setitem__", "__set__"):
            return
        if name in CHECKS:
            answer = outside(torch.full, (1,) * made[0].ndim, CHECKS[name])
            self.checks[id(made[0])] = made[0], answer
        elif self.checks and self._asks(args) and self.all_known(args, kwargs, find=self.answer):
            values = _tensors(self.compute(function, args, kwargs, find=self.answer))
            self.checks.update((id(leaf), (leaf, value)) for leaf, value in zip(made, values, strict=False))
            return
        if not UNDECIDED.match(name) and self.all_known(args, kwargs) and all(leaf.numel() <= LIMIT for leaf in made):
            values = _tensors(self.compute(function, args, kwargs))
            self.twins.update((id(leaf), (leaf, value)) for leaf, value in zip(made, values, strict=True))
        elif WRITES.fullmatch(name) or "out" in kwargs:
            self._forget([*args[:1], kwargs.get("out")])

    def with_places(self, key: Any) -> Any:
        """A key of an array with the places of its masks in their stead."""
        parts = key if isinstance(key, tuple) else (key,)
        places = [self._places(part) for part in parts]
        if all(each is None for each in places):
            return key
        return tuple(
            entry for part, each in zip(parts, places, strict=True) for entry in ((part,) if each is None else each)
        )

    def _places(self, part: Any) -> Any:
        """Where a mask is true, an array for each of its axes; None of what is no mask."""
        import torch

        if isinstance(part, np.ndarray) or (isinstance(part, list) and part and all(isinstance(b, bool) for b in part)):
            mask = np.asarray(part)
            places = mask.nonzero() if mask.dtype == bool and mask.ndim else None
            return places and tuple(outside(torch.from_numpy, each) for each in places)
        if not isinstance(part, torch.Tensor) or part.dtype not in (torch.bool, torch.uint8) or part.ndim == 0:
            return None
        return None if self.find(part) is None else self.compute(torch.nonzero, (part,), {"as_tuple": True})

    def _asks(self, args: Any) -> bool:
        """Whether an argument says of values whether they are finite."""
        return any(id(leaf) in self.checks for leaf in _leaves(args))

    def _forget(self, targets: list[Any]) -> None:
        """Forgets arrays that were written to, and all that share their memory."""
        memory = {value.untyped_storage().data_ptr() for target in targets if (value := self.find(target)) is not None}
        for key, (tensor, value) in self.twins.items():
            if value is not None and value.untyped_storage().data_ptr() in memory:
                self.twins[key] = tensor, None


@contextmanager
def values_known(module: "torch.nn.Module", buffers: Mapping[str, "torch.Tensor"]) -> Iterator[None]:
    """While it is open, an export of a module knows the values that no image and no weight decides.

    Args:
        module: The module, as the export holds it.
        buffers: The values of its buffers (`discrete_buffers`), which the export takes away.
    """
    from torch.overrides import TorchFunctionMode

    known = KnownValues(module, buffers)

    class Mode(TorchFunctionMode):
        def __torch_function__(self, function: Any, kinds: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            name = getattr(function, "__name__", "")
            counted = name in COUNTED or (name == "where" and len(args) + len(kwargs) == 1)
            if (name in READS or counted) and known.all_known(args, kwargs):
                return known.compute(function, args, kwargs)
            if name in READS and known.all_known(args, kwargs, find=known.answer):
                return known.compute(function, args, kwargs, find=known.answer)
            if name in INDEXED:
                args = args[0], known.with_places(args[1]), *args[2:]
            result = function(*args, **kwargs)
            known.follow(function, name, args, kwargs, result)
            return result

    with Mode():
        yield


def outside(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """A function's result outside of the export, on arrays with values."""
    import torch
    from torch.utils._python_dispatch import _disable_current_modes

    with torch._C.DisableTorchFunction(), _disable_current_modes():
        return function(*args, **kwargs)


def _replace(value: Any, find: Callable[[Any], Any]) -> Any:
    """Arguments with the values of the arrays within."""
    if type(value) in (tuple, list):
        return type(value)(_replace(part, find) for part in value)
    if isinstance(value, dict):
        return {name: _replace(part, find) for name, part in value.items()}
    if isinstance(value, slice):
        return slice(*(_replace(part, find) for part in (value.start, value.stop, value.step)))
    found = find(value)
    return value if found is None else found


def _is_discrete(tensor: "torch.Tensor") -> bool:
    return not tensor.is_floating_point() and not tensor.is_complex() and not tensor.is_quantized


def _tensors(value: Any) -> list["torch.Tensor"]:
    import torch

    return [leaf for leaf in _leaves(value) if isinstance(leaf, torch.Tensor)]


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple | list):
        for part in value:
            yield from _leaves(part)
    elif isinstance(value, dict):
        yield from _leaves(list(value.values()))
    elif isinstance(value, slice):
        yield from _leaves([value.start, value.stop, value.step])
    else:
        yield value
