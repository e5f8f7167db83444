"""What recognizes a module in another process: its parts, the source that it is written in, and what it does when run.

A module of the same parts and source that calls the same functions on images of a shape, with the same arguments, has
the same graph for images of that shape. So a second process runs the module once for each shape, which takes a
fraction of a second, where exporting and tracing take several.
"""

import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from featviz.adapters.torch.module_copies import named_tensors, plain_tensors, shared_names
from featviz.common.shortcuts import unchanged
from featviz.common.spelling import Identified, UnspelledError

if TYPE_CHECKING:
    import torch

# Packages that their versions decide; all else counts by its files.
VERSIONED = frozenset({"featviz", "jax", "jaxlib", "numpy", "torch", *sys.stdlib_module_names}) - {"__main__"}
Shape = tuple[int, ...]


class ModuleIdentity(Identified):
    """A module and what it did with images of the shapes so far.

    Args:
        module: A copy of the user's module, which takes images alone.
        shape: The shape of the images of the training.
        digest: The hash of what the module does with images of a shape (`RunRecord`), None where there is none.
        upto: The path of the module within behind which nothing is wanted.
    """

    def __init__(
        self,
        module: "torch.nn.Module",
        shape: Shape,
        digest: Callable[[Shape], str | None],
        *,
        upto: str | None = None,
    ) -> None:
        self._module, self._shape, self._digest, self._upto = module, shape, digest, upto
        self._identity: str | None = None
        # The shapes of which the graph was asked for, those of another number of images once.
        self.asked: set[Shape] = {shape}

    def identity(self) -> str:
        """See `Identified`: the module's parts, its source, and what it does with images of the training."""
        if self._identity is None:
            ran = self._digest(self._shape)
            if ran is None:
                raise UnspelledError(type(self._module).__name__)
            total = hashlib.sha256(f"{ran} {self._shape} {self._upto}".encode())
            for text in (*_parts(self._module), *_sources(self._module)):
                total.update(f"\0{text}".encode())
            self._identity = total.hexdigest()
        return self._identity

    def observed(self) -> list[tuple[Shape, str]] | None:
        """See `Identified`: what it did with images of each shape."""
        digests = [(shape, self._digest(shape)) for shape in sorted(self.asked)]
        return None if any(digest is None for _, digest in digests) else [(s, d) for s, d in digests if d is not None]

    def repeats(self, observed: Sequence[tuple[Shape, str]]) -> bool:
        """See `Identified`."""
        return all(self._digest(shape) == digest for shape, digest in observed)


def _parts(module: "torch.nn.Module") -> Iterator[str]:
    """A module's classes, tensors and settings; the values of those tensors that an export may compute with."""
    import torch

    yield f"{torch.__version__} {torch.get_default_dtype()} {torch.is_autocast_enabled('cpu')}"
    for path, each in module.named_modules():
        hooks = (each._forward_hooks, each._forward_pre_hooks, each._backward_hooks, each._backward_pre_hooks)
        if "forward" in vars(each) or any(hooks):
            raise UnspelledError(f"`{path}` has a forward or a hook of its own")
        settings = {name: value for name, value in vars(each).items() if isinstance(value, bool | int | float | str)}
        yield f"{path} {_class_name(type(each))} {sorted(settings.items())}"
    parameters = {path for path, _ in module.named_parameters()}
    plain = list(plain_tensors(module))
    for path, tensor in (*named_tensors(module), *plain):
        yield f"{path} {tensor.dtype} {tuple(tensor.shape)} {tensor.stride()}"
        discrete = not (tensor.is_floating_point() or tensor.is_complex())
        if path not in parameters and (discrete or tensor.numel() == 1):
            yield repr(tensor.tolist())
    for _, tensor in plain:
        yield hashlib.sha256(tensor.detach().cpu().contiguous().numpy().tobytes()).hexdigest()
    yield repr(list(shared_names(module)))


def _class_name(kind: type) -> str:
    """A class's name, under which its module has it."""
    place: Any = sys.modules.get(kind.__module__)
    for part in kind.__qualname__.split("."):
        place = getattr(place, part, None)
    if place is not kind:
        raise UnspelledError(f"{kind.__module__}.{kind.__qualname__}")
    return f"{kind.__module__}.{kind.__qualname__}"


def _sources(module: "torch.nn.Module") -> list[str]:
    """The files of the modules' classes and of all that these refer to, each with its size and the time of its change.

    A file counts with all files of its package, or of its folder.
    """
    reached = _reached({type(each).__module__ for each in module.modules()})
    packages = {name.partition(".")[0] for name in reached}
    files: dict[str, str] = {name: _file(name) for name in reached}
    folders = {os.path.dirname(path) for path in files.values()}
    for name, each in list(sys.modules.items()):
        path = getattr(each, "__file__", None)
        if isinstance(path, str) and (name.partition(".")[0] in packages or os.path.dirname(path) in folders):
            files[name] = path
    if not unchanged(files.values()):
        raise UnspelledError("a file was changed")
    status = {name: os.stat(path) for name, path in files.items()}
    return sorted(f"{name} {files[name]} {each.st_size} {each.st_mtime_ns}" for name, each in status.items())


def _reached(names: Iterable[str]) -> set[str]:
    """The loaded modules with these names, and those that these refer to, without those that a version decides."""
    reached: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in reached or name.partition(".")[0] in VERSIONED or name not in sys.modules:
            continue
        reached.add(name)
        for value in list(vars(sys.modules[name]).values()):
            if isinstance(value, ModuleType):
                waiting.append(value.__name__)
            elif isinstance(value, type | FunctionType):
                waiting.append(value.__module__ or "")
    return reached


def _file(name: str) -> str:
    path = getattr(sys.modules[name], "__file__", None)
    if not isinstance(path, str):
        raise UnspelledError(f"{name} is no file")
    return path
