"""MODEL: a network of the zoo, of a file, or of the user's own code; and what is said of anything else."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from featviz.cli.exit_status import usage_errors
from featviz.cli.options.fixed_option import FixedFile, fixed_words, read_fixed
from featviz.cli.options.input_option import parse_input
from featviz.errors import FeatvizError, join_or

if TYPE_CHECKING:
    from featviz.model import Framework, InputSpec, Model
    from featviz.zoo.entry import Entry

# The extensions of files that hold only weights.
WEIGHT_SUFFIXES = (".safetensors", ".pt", ".pth", ".ckpt", ".bin", ".caffemodel", ".h5", ".npz", ".msgpack")


def load_network(
    name: str, weights: Path | None, *, input_words: str | None = None, fixed: Sequence[FixedFile] = ()
) -> "Model":
    """The network that MODEL names.

    Args:
      name: a network of the zoo; a .onnx or .keras file; or `package.module:function`. The function returns a Model or
        a network of a framework, or is itself a network, `(weights, images)` -> an array or a dict.
      weights: a file of weights. For a function that is itself a network: a safetensors file whose names are split at
        `/` into a tree.
      input_words: the text of --input, for a network that does not say how it takes its images.
      fixed: the names and files of --fixed, for a network of several inputs.

    Raises:
      click.UsageError: if MODEL names no network, or the other options do not go with it.
      FeatvizError: if the weights or the user's own code fail.
    """
    from featviz.model import FRAMEWORKS

    for framework in FRAMEWORKS.values():
        if framework.file_suffix is not None and Path(name).suffix.lower() == framework.file_suffix:
            if not Path(name).exists():
                raise click.UsageError(f"MODEL is `{name}`, a file that does not exist")
            if weights is not None:
                raise click.UsageError(f"--weights goes with a network of the zoo; {Path(name).name} holds its own")
            return adapt(framework, name, Path(name).name, input_words, fixed)
    if ":" in name:
        from featviz.cli.user_networks import load_user_network

        return load_user_network(name, weights, input_words=input_words, fixed=fixed)
    from featviz.zoo.registry import load

    with usage_errors():
        entry = find_entry(name)
        if input_words is not None:
            raise FeatvizError(f"--input goes with a network of a file or of your own; {name} has its own")
        if fixed:
            raise FeatvizError(f"--fixed goes with a network of a file or of your own; {name} takes its image alone")
        if weights is None and entry.bundled is None and not entry.sources:
            # Raises the error that says where this network's weights are to be had.
            load(name)
    return load(name, weights=weights)


def adapt(
    framework: "Framework", network: Any, name: str, input_words: str | None, fixed: Sequence[FixedFile]
) -> "Model":
    """The Model of a framework's network or of a file.

    Args:
      framework: the network's framework.
      network: the network, or the path of its file.
      name: MODEL as pictures record it.
      input_words: the text of --input; for a file it changes what the file says.
      fixed: the names and files of --fixed.
    """
    import featviz

    adapter = getattr(featviz, framework.adapter)
    source = {"model": name}
    if fixed:
        from featviz.model import FRAMEWORKS

        if not framework.takes_fixed:
            titles = join_or([known.title for known in FRAMEWORKS.values() if known.takes_fixed])
            raise click.UsageError(f"--fixed goes with a network of {titles}; {name} is of {framework.title}")
        with usage_errors():
            adapter = partial(adapter, fixed=read_fixed(fixed))
        source["fixed"] = fixed_words(fixed)
    spec: InputSpec | None = None
    if input_words is not None:
        source["input"] = input_words
        with usage_errors():
            spec = parse_input(input_words, base=adapter(network).input if framework.declares_input else None)
    model: Model = adapter(network, input=spec, source=source)
    return model


def find_entry(name: str) -> "Entry":
    """The network of the zoo that MODEL names.

    >>> find_entry("net.pt")
    Traceback (most recent call last):
    featviz.errors.FeatvizError: MODEL is `net.pt`, a file of weights; expected its network, with --weights net.pt

    Raises:
      FeatvizError: if there is none of that name, with what MODEL may be.
    """
    from featviz.zoo.registry import find

    try:
        return find(name)
    except FeatvizError as error:
        # Where a name of the zoo is near, that is the likeliest.
        hint = str(error) if "did you mean" in str(error) else f"there is no network `{name}`; expected {_expected()}"
        raise FeatvizError(_describe_other(name) or hint) from None


def _expected() -> str:
    """What MODEL may be, as errors say it."""
    from featviz.model import FRAMEWORKS

    suffixes = [framework.file_suffix for framework in FRAMEWORKS.values() if framework.file_suffix]
    return f"a network of `featviz models`, a file ({', '.join(suffixes)}), or package.module:function"


def _describe_other(name: str) -> str | None:
    """What is said of a MODEL that is a file of another kind, a folder or a Python module."""
    path = Path(name)
    if path.suffix.lower() in WEIGHT_SUFFIXES:
        return f"MODEL is `{name}`, a file of weights; expected its network, with --weights {name}"
    if path.suffix == ".py" or _is_module(name):
        module = ".".join(path.with_suffix("").parts) if path.suffix == ".py" else name
        return f"MODEL is `{name}`, a Python file; expected its function that returns the network, as {module}:make"
    if path.exists():
        kind = "a folder" if path.is_dir() else "a file of another kind"
        return f"MODEL is `{name}`, {kind}; expected {_expected()}"
    return None


def _is_module(name: str) -> bool:
    """Whether there is a module of that name where the command is run."""
    parts = name.split(".")
    path = Path(*parts)
    return all(map(str.isidentifier, parts)) and (path.with_suffix(".py").is_file() or (path / "__init__.py").is_file())
