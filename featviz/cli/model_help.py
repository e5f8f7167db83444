"""What MODEL may be, told to those who named something else."""

from pathlib import Path

from featviz.errors import FeatvizError
from featviz.zoo.entry import Entry

# How files of weights end.
WEIGHTS = (".safetensors", ".pt", ".pth", ".ckpt", ".bin", ".caffemodel", ".h5", ".npz", ".msgpack")
EXPECTED = "a network of `featviz models`, a file (.onnx, .keras), or package.module:function"


def find_entry(name: str) -> Entry:
    """The network of the zoo that MODEL names. Raises FeatvizError that says what MODEL may be.

    >>> find_entry("net.pt")
    Traceback (most recent call last):
    featviz.errors.FeatvizError: MODEL is `net.pt`, which holds weights; expected their network, and --weights net.pt
    """
    from featviz.zoo.registry import find

    try:
        return find(name)
    except FeatvizError as error:
        # Where a name of the zoo is near, that is the likeliest.
        told = str(error) if "did you mean" in str(error) else f"there is no network `{name}`; expected {EXPECTED}"
        raise FeatvizError(_other(name) or told) from None


def _other(name: str) -> str | None:
    """What is said of a MODEL that is something else: a file, a folder or a module."""
    path = Path(name)
    if path.suffix.lower() in WEIGHTS:
        return f"MODEL is `{name}`, which holds weights; expected their network, and --weights {name}"
    if path.suffix == ".py" or _is_module(name):
        module = ".".join(path.with_suffix("").parts) if path.suffix == ".py" else name
        return f"MODEL is `{name}`, a file of Python; expected a function that returns the network, as {module}:make"
    if path.exists():
        kind = "a folder" if path.is_dir() else "a file of another kind"
        return f"MODEL is `{name}`, {kind}; expected {EXPECTED}"
    return None


def _is_module(name: str) -> bool:
    """Whether there is a module of that name where the command is run."""
    parts = name.split(".")
    path = Path(*parts)
    return all(map(str.isidentifier, parts)) and (path.with_suffix(".py").is_file() or (path / "__init__.py").is_file())
