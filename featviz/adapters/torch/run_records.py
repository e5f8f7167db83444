"""What a module does with images of one size, as a hash: two runs that do the same have one graph."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import TYPE_CHECKING, Any

from featviz.adapters.torch.module_copies import named_tensors, plain_tensors
from featviz.adapters.torch.module_runs import arrays_within

if TYPE_CHECKING:
    import torch

# Functions whose results are sizes, which may differ. Of others what is no tensor is part of the record.
SIZES = frozenset({"__get__", "size", "dim", "ndimension", "numel", "nelement", "stride", "__len__"})
# Tensors that come from elsewhere are compared by their values, where they are no larger.
LARGEST_CONSTANT = 4096


class UnknownError(Exception):
    """Something that a run does cannot be compared with another run."""


class RunRecord:
    """The calls of PyTorch's functions in a run, in their order.

    Of each call the function, its arguments other than tensors, and which tensors it takes and gives: parameters and
    buffers by their path, others by when they were made. Two records are equal only where the runs differ in the sizes
    and values of tensors alone, so that a graph of one run is also that of the other.

    Args:
        module: The module that runs.
        images: What it is given.
    """

    def __init__(self, module: "torch.nn.Module", images: "torch.Tensor") -> None:
        from torch.utils.weak import WeakIdKeyDictionary

        self._total = hashlib.sha256()
        self._comparable = True
        self._count = 0
        self._labels = WeakIdKeyDictionary()
        for path, tensor in (*named_tensors(module), *plain_tensors(module)):
            self._labels[tensor] = path
        self._labels[images] = "<images>"

    @property
    def digest(self) -> str | None:
        """The hash of all calls so far; None where a call cannot be compared with others."""
        return self._total.hexdigest() if self._comparable else None

    def add(self, kind: str, inputs: Any, outputs: Any) -> None:
        """Adds a call, which took inputs and gave outputs.

        Args:
            kind: What was called.
            inputs: Its arguments, nested as they are.
            outputs: What it returned.
        """
        if not self._comparable:
            return
        try:
            given = self._spell(inputs)
            sizes = kind.rpartition(".")[2] in SIZES
            self._total.update(f"{kind} {given} {self._spell_outputs(outputs, sizes=sizes)};".encode())
        except UnknownError:
            self._comparable = False

    def add_module(self, path: str, output: Any) -> None:
        """Adds that a module within has returned something."""
        arrays = dict(arrays_within(output))
        self.add(f"module {path}", list(arrays), list(arrays.values()))

    def _spell(self, value: Any) -> str:
        import torch

        if isinstance(value, torch.Tensor):
            return self._labels.get(value) or self._adopt(value)
        if isinstance(value, list | tuple):
            return f"[{', '.join(map(self._spell, value))}]"
        if isinstance(value, dict):
            return f"{{{', '.join(f'{name!r}: {self._spell(part)}' for name, part in value.items())}}}"
        if isinstance(value, slice):
            return f"slice{self._spell((value.start, value.stop, value.step))}"
        known = bool | int | float | complex | str | torch.dtype | torch.device | torch.layout | torch.memory_format
        if value is None or value is Ellipsis or isinstance(value, known):
            return repr(value)
        if isinstance(value, type) or callable(value):
            return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value).__name__)}"
        raise UnknownError(type(value).__name__)

    def _spell_outputs(self, value: Any, *, sizes: bool) -> str:
        """Tensors among what was returned by their label, new ones by a new one."""
        import torch

        if isinstance(value, torch.Tensor):
            if value not in self._labels:
                self._count += 1
                self._labels[value] = f"{self._count}:{value.dtype}"
            return self._labels[value]
        if isinstance(value, list | tuple):
            return f"[{', '.join(self._spell_outputs(part, sizes=sizes) for part in value)}]"
        return "" if sizes else self._spell(value)

    def _adopt(self, tensor: "torch.Tensor") -> str:
        """The label of a tensor that comes from elsewhere, such as NumPy: its values."""
        if tensor.numel() > LARGEST_CONSTANT:
            raise UnknownError("a large constant")
        label = f"<{tensor.dtype} {tuple(tensor.shape)} {tensor.tolist()!r}>"
        self._labels[tensor] = label
        return label


@contextmanager
def recorded(record: RunRecord) -> Iterator[None]:
    """While it is open, calls of PyTorch's functions are added to a record.

    A function of PyTorch's that is written in Python may make sizes of those that it finds, so the operators that it
    calls are added too, with their arguments; those of a function in C++ follow from its own.
    """
    from torch.nn.functional import interpolate
    from torch.overrides import TorchFunctionMode
    from torch.utils._python_dispatch import TorchDispatchMode

    silent = [False]

    class Functions(TorchFunctionMode):
        def __torch_function__(self, function: Any, kinds: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            # It passes its scale on as it is.
            passed = function is interpolate and not kwargs.get("recompute_scale_factor")
            before, silent[0] = silent[0], passed or not isinstance(function, FunctionType)
            try:
                result = function(*args, **kwargs)
            finally:
                silent[0] = before
            name = getattr(function, "__name__", str(function))
            # The property's name, of one that is read.
            owner = getattr(getattr(function, "__self__", None), "__name__", "")
            record.add(f"function {owner}.{name}", [args, kwargs], result)
            return result

    class Operators(TorchDispatchMode):
        def __torch_dispatch__(self, function: Any, kinds: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = function(*args, **(kwargs or {}))
            if not silent[0]:
                record.add(f"operator {function}", [args, kwargs or {}], result)
            return result

    with Functions(), Operators():
        yield
