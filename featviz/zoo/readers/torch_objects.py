"""The contents of a pickle of torch.save, as inert values: tensors by name, each a view of a storage."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from featviz.zoo.readers.pickles import Name, Rules
from featviz.zoo.readers.reading_errors import Budget, MalformedError, one_line

# PyTorch's storages and NumPy's names of their dtypes; NumPy lacks bfloat16, the upper half of a float32.
BFLOAT16 = "bfloat16"
STORAGES = {
    "Float": "float32", "Double": "float64", "Half": "float16", "BFloat16": BFLOAT16, "Bool": "bool",
    "Byte": "uint8", "Char": "int8", "Short": "int16", "Int": "int32", "Long": "int64",
}  # fmt: skip
# The functions that a state dict's pickle calls, with a tensor's parts or a tensor as arguments.
TENSORS = {"torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2"}
PARAMETERS = {"torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"}
ORDERED_DICT = "collections.OrderedDict"
# Further names in TorchScript's archives: the network's modules, and types of attributes that are not tensors.
MODULES = "__torch__."
ATTRIBUTES = {
    "torch.device",
    "torch.Size",
    "torch.jit._pickle.restore_type_tag",
    *(f"torch.jit._pickle.build_{kind}list" for kind in ("int", "double", "bool", "tensor")),
}
# The keys under which training scripts keep the network in a checkpoint.
WRAPPERS = ("state_dict", "model_state_dict", "model", "module", "net", "params")
MAX_DEPTH = 32
MAX_RANK = 16
MAX_VALUES = 200_000


@dataclass(frozen=True, slots=True)
class Storage:
    """Values in the file: their key there, their dtype, and their number."""

    key: str
    kind: str
    count: int

    @property
    def bytes(self) -> int:
        """Their size in the file."""
        return self.count * (2 if self.kind == BFLOAT16 else np.dtype(self.kind).itemsize)


@dataclass(frozen=True, slots=True)
class Tensor:
    """A view of a storage, counted in values."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Module:
    """A module of a TorchScript archive, with its attributes."""

    fields: dict[str, object] = field(default_factory=dict)


def _knows(name: str) -> bool:
    storage = name.removeprefix("torch.").removesuffix("Storage")
    known = {*TENSORS, *PARAMETERS, ORDERED_DICT, *ATTRIBUTES}
    return name in known or (name == f"torch.{storage}Storage" and storage in STORAGES) or name.startswith(MODULES)


def _make(name: str, arguments: tuple) -> object:
    if name == ORDERED_DICT:
        return _ordered(arguments)
    if name in TENSORS:
        return _tensor(arguments)
    if name in PARAMETERS:
        if not arguments or type(arguments[0]) is not Tensor:
            raise MalformedError("it has a parameter without a tensor")
        return arguments[0]
    if name.startswith(MODULES):
        return Module()
    if name in ATTRIBUTES:
        return None
    raise MalformedError(f"it calls `{one_line(name, limit=80)}`, which makes no tensor; nothing was run")


def _ordered(arguments: tuple) -> dict[object, object]:
    # Python 2 wrote the items as a list of pairs.
    pairs = arguments[0] if arguments else []
    if type(pairs) is not list or len(arguments) > 1:
        raise MalformedError("it has a dict with invalid items")
    if not all(type(pair) in (list, tuple) and len(pair) == 2 and type(pair[0]) is str for pair in pairs):
        raise MalformedError("it has a dict with invalid items")
    return dict(pairs)


def _tensor(arguments: tuple) -> Tensor:
    if len(arguments) < 4 or type(arguments[0]) is not Storage:
        raise MalformedError("it has a tensor without a storage")
    storage, offset, shape, strides = arguments[:4]
    plain = type(offset) is int and type(shape) is tuple and type(strides) is tuple
    if not plain or len(shape) != len(strides) or len(shape) > MAX_RANK:
        raise MalformedError("it has a tensor with an invalid shape")
    if not all(type(size) is int and 0 <= size < 2**48 for size in (offset, *shape, *strides)):
        raise MalformedError("it has a tensor with an invalid shape")
    last = offset + sum((side - 1) * stride for side, stride in zip(shape, strides, strict=True))
    count = math.prod(shape)
    # A storage smaller than the shape would be a view that repeats values. Weights need none, and a small file could
    # ask for all memory.
    if count and (last >= storage.count or count > storage.count):
        raise MalformedError(
            f"it has a tensor of {count:,} values up to index {last:,}; its storage has {storage.count:,}"
        )
    if not count and math.prod(max(side, 1) for side in shape) > 2**40:
        raise MalformedError("it has a tensor with an invalid shape")
    return Tensor(storage, offset, shape, strides)


def _build(target: object, state: object) -> None:
    if type(target) is Module and type(state) is dict:
        target.fields.update((key, value) for key, value in state.items() if type(key) is str)
    elif type(target) is not dict or type(state) is not dict:  # a state dict's `_metadata` is ignored
        raise MalformedError("it sets the state of something that is not a state dict")


def torch_rules(storages: dict[str, Storage]) -> Rules:
    """The rules for a pickle of torch.save; its storages are added to `storages`, by their keys."""

    def stored(identity: object) -> Storage:
        if type(identity) is not tuple or len(identity) not in (5, 6) or identity[0] != "storage":
            raise MalformedError("it refers to something outside the pickle that is not a storage")
        _, kind, key, _, count = identity[:5]
        if type(kind) is not Name or not kind.full.endswith("Storage") or type(key) is not str:
            raise MalformedError("it has a storage of an unknown kind")
        if type(count) is not int or not 0 <= count < 2**48 or identity[5:] not in ((), (None,)):
            raise MalformedError("it has a storage with an invalid size")
        storage = Storage(key, STORAGES[kind.full.removeprefix("torch.").removesuffix("Storage")], count)
        if storages.setdefault(key, storage) != storage:
            raise MalformedError(f"it has two storages with the key `{one_line(key, limit=40)}`")
        return storage

    return Rules(_knows, _make, stored, _build)


def state_dict_tensors(tree: object) -> dict[str, Tensor]:
    """The tensors of a state dict, or of a checkpoint that holds one, by name.

    Raises:
        MalformedError: If there are none.
    """
    fields = _fields(tree)
    for _ in range(4):
        if fields is None or any(type(value) is Tensor for value in fields.values()):
            break
        inner = [_fields(fields[key]) for key in WRAPPERS if key in fields]
        fields = next((candidate for candidate in inner if candidate is not None), None) or fields
    tensors: dict[str, Tensor] = {}
    for name, tensor in _walk(fields or {}, "", 0, Budget(MAX_VALUES, f"it has more than {MAX_VALUES:,} values")):
        if name in tensors:
            raise MalformedError(f"it has two tensors with the name `{one_line(name, limit=80)}`")
        tensors[name] = tensor
    if not tensors:
        raise MalformedError("it holds no tensors with names; expected a state dict")
    # The prefix that PyTorch's data-parallel modules add.
    if all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    return tensors


def _fields(value: object) -> Mapping[str, object] | None:
    return value.fields if type(value) is Module else value if type(value) is dict else None


def _walk(fields: Mapping[str, object], prefix: str, depth: int, budget: Budget) -> Iterator[tuple[str, Tensor]]:
    if depth > MAX_DEPTH:
        raise MalformedError(f"its dicts are nested more than {MAX_DEPTH} deep")
    for key, value in fields.items():
        budget.spend(1)
        inner = _fields(value)
        if type(key) is not str:
            continue
        if type(value) is Tensor:
            yield prefix + key, value
        elif inner is not None:
            yield from _walk(inner, f"{prefix}{key}.", depth + 1, budget)


def to_arrays(tensors: Mapping[str, Tensor], load: Callable[[Storage], np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors as NumPy arrays, bfloat16 as float32; `load` reads the bytes of a storage, once for each."""
    loaded: dict[str, np.ndarray] = {}
    for tensor in tensors.values():
        if tensor.storage.key not in loaded:
            loaded[tensor.storage.key] = _values(load(tensor.storage), tensor.storage.kind)
    return {name: _view(tensor, loaded[tensor.storage.key]) for name, tensor in tensors.items()}


def _values(data: np.ndarray, kind: str) -> np.ndarray:
    if kind == BFLOAT16:
        return (data.view("<u2").astype("<u4") << np.uint32(16)).view("<f4")
    if kind == "bool" and np.any(data > 1):
        raise MalformedError("it has truth values that are neither 0 nor 1")
    return data.view(np.dtype(kind).newbyteorder("<"))


def _view(tensor: Tensor, values: np.ndarray) -> np.ndarray:
    if not math.prod(tensor.shape):
        return np.zeros(tensor.shape, values.dtype)
    strides = [stride * values.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(values[tensor.offset :], tensor.shape, strides, writeable=False)
