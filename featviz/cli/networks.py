"""MODEL: a network of the zoo, of a file, or of the user's own code."""

import contextlib
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from featviz.cli.options.input_option import parse_input
from featviz.cli.session import wrong_command
from featviz.errors import FeatvizError, in_one_line, nearest

if TYPE_CHECKING:
    from featviz.model import InputSpec, Model

# A class that a framework's networks inherit from, by its module and name, and the adapter that takes them.
FRAMEWORKS = {
    ("flax.nnx", "Module"): "from_nnx",
    ("torch.nn.modules.module", "Module"): "from_torch",
    ("keras.src.models.model", "Model"): "from_keras",
    ("equinox._module", "Module"): "from_equinox",
    ("onnx", "ModelProto"): "from_onnx",
}
FILES = {".onnx": "from_onnx", ".keras": "from_keras"}


def find_model(name: str, weights: Path | None, *, input_words: str | None = None) -> "Model":
    """The network that MODEL names: of the zoo; of a file, .onnx or .keras; or `package.module:function`.

    The function returns a Model or a network of a framework, or is itself a network, `(weights, images)` -> an array or
    a dict; then --weights brings the tree of its weights, a safetensors file whose names are parted by `/`.
    """
    words = {} if input_words is None else {"input": input_words}
    if Path(name).suffix.lower() in FILES:
        if weights is not None:
            raise click.UsageError(f"--weights goes with a network of the zoo; {Path(name).name} brings its own")
        return _adapt(FILES[Path(name).suffix.lower()], name, Path(name).name, words)
    if ":" in name:
        return _call(name, weights, words)
    from featviz.cli.model_help import find_entry
    from featviz.zoo.registry import load

    with wrong_command():
        entry = find_entry(name)
        if words:
            raise FeatvizError(f"--input goes with a network of a file or of your own; {name} brings its own")
        if weights is None and entry.bundled is None and not entry.sources:
            load(name)
    return load(name, weights=weights)


def _adapt(adapter: str, network: Any, name: str, words: dict[str, str]) -> "Model":
    """A Model of a framework's network or file, by the adapter of that name."""
    import featviz

    spec: InputSpec | None = None
    if words:
        with wrong_command():
            spec = parse_input(words["input"], base=_declared(adapter, network))
    return getattr(featviz, adapter)(network, input=spec, source={"model": name, **words})


def _declared(adapter: str, network: Any) -> "InputSpec | None":
    """What a file or network says of its input itself."""
    import featviz

    if adapter not in FILES.values():
        return None
    return getattr(featviz, adapter)(network).input


def _call(name: str, weights: Path | None, words: dict[str, str]) -> "Model":
    from featviz.model import Model

    function = _import(name)
    needed = _needed(function)
    if len(needed) == 2:
        return _plain(function, name, weights, words)
    if weights is not None:
        raise click.UsageError(f"--weights goes with a network of the zoo; {name} brings its own")
    if needed:
        raise click.UsageError(
            f"`{name}` takes {', '.join(needed)}; expected a function without arguments, or of (weights, images)"
        )
    with _theirs(name):
        made = function()
    if isinstance(made, Model):
        if words:
            raise click.UsageError(f"--input goes with a network that is no Model yet; {name} returned one")
        return made if made.source else replace(made, source={"model": name})
    bases = {(base.__module__, base.__name__) for base in type(made).__mro__}
    adapter = next((adapter for base, adapter in FRAMEWORKS.items() if _inherits(bases, base)), None)
    if adapter is None:
        raise click.UsageError(
            f"`{name}` returned a {type(made).__name__}; expected a featviz Model, or a network of nnx, PyTorch, "
            f"Keras, Equinox or ONNX"
        )
    if not words and adapter not in FILES.values():
        raise click.UsageError(
            f"`{name}` returned a {type(made).__name__}; expected --input, such as 224,imagenet,nchw"
        )
    return _adapt(adapter, made, name, words)


def _inherits(bases: set[tuple[str, str]], base: tuple[str, str]) -> bool:
    """Whether among the bases is the class; of a module or one within it, since frameworks move their own about."""
    return any(name == base[1] and module.startswith(base[0]) for module, name in bases)


def _import(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    if not module or not function:
        raise click.UsageError(f"MODEL is `{name}`; expected package.module:function")
    sys.path.insert(0, os.getcwd())
    try:
        with _theirs(module):
            imported = importlib.import_module(module)
    except ImportError as error:
        raise click.UsageError(f"`{name}` cannot be imported: {error}; expected package.module:function") from error
    try:
        found = getattr(imported, function)
    except AttributeError:
        known = [each for each, value in vars(imported).items() if callable(value) and not each.startswith("_")]
        hint = nearest(function, known) if known else "it has no function"
        raise click.UsageError(f"`{module}` has no function `{function}`; {hint}") from None
    if not callable(found):
        raise click.UsageError(f"`{name}` is a {type(found).__name__}; expected a function")
    return found


@contextlib.contextmanager
def _theirs(name: str) -> Iterator[None]:
    """What the user's own code fails with within is told as its fault; what is imported in vain, and ours, as it is."""
    try:
        yield
    except (FeatvizError, ImportError):
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {in_one_line(error)}"
        raise FeatvizError(f"`{name}` failed: {said} (--debug shows where)") from error


def _needed(function: Callable[..., Any]) -> list[str]:
    """The arguments that it cannot be called without: two of a network, `(weights, images)`, none if it returns one."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [each.name for each in parameters if each.kind in kinds and each.default is inspect.Parameter.empty]


def _plain(function: Callable[..., Any], name: str, weights: Path | None, words: dict[str, str]) -> "Model":
    import jax

    from featviz.adapters.function import from_function
    from featviz.zoo.weights.load import read_tree

    if weights is None or not words:
        raise click.UsageError(
            f"`{name}` is a network, (weights, images); expected --weights FILE and --input, such as 224,imagenet"
        )
    with wrong_command():
        spec = parse_input(words["input"])
        tree = jax.device_put(read_tree(weights))
    source = {"model": name, "weights": weights.name, **words}
    return from_function(function, tree, input=spec, source=source)
