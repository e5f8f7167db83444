"""One network of the zoo: what it is, how it is built, and where its weights officially live."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featviz.model import InputSpec

if TYPE_CHECKING:
    import flax.linen as nn

    from featviz.zoo.weights.convert import Axes


def lazy(module: str, function: str, **options: Any) -> Callable[..., Any]:
    """What `function` of `featviz.zoo.MODULE` gives for these options; it is imported when it is called.

    >>> lazy("architectures.squeezenet", "SqueezeNet", classes=5)().classes
    5
    """
    return partial(_call, module, function, options)


def _call(module: str, function: str, options: Mapping[str, Any], *args: Any) -> Any:
    return getattr(importlib.import_module(f"featviz.zoo.{module}"), function)(*args, **options)


def _no_classes() -> tuple[str, ...]:
    return ()


@dataclass(frozen=True)
class Source:
    """A file of a network's weights, where it officially lives.

    `sha256` is as published: the whole digest, or its beginning where only that is (PyTorch writes eight digits into
    the file's name); None where nothing is. `bytes` is its size, for the progress shown. `names` gives a tensor's name
    in the file for its name in our network (`layer1/0/conv1/kernel`); by default PyTorch's (`layer1.0.conv1.weight`).
    `axes` gives a tensor of the file in our order of axes, for its name in our network, itself, and the shape it is to
    have; by default `convert.torch_axes`. Tensors whose names match one of `ignored`, regular expressions, are other
    parts, such as auxiliary heads; tensors of ours that match one of `ones` are not in the file and are all 1.

    Another training is another input, and another framework may round another way: `input` and `build` say so, where
    they are not the entry's.
    """

    url: str
    sha256: str | None = None
    bytes: int | None = None
    names: Callable[[str], str] | None = None
    ignored: tuple[str, ...] = ()
    axes: "Axes | None" = None
    ones: tuple[str, ...] = ()
    input: InputSpec | None = None
    build: "Callable[[], nn.Module] | None" = None

    @property
    def file(self) -> str:
        """The file's base name."""
        return self.url.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Entry:
    """One network of the zoo.

    `build` gives the Flax module and `classes` the names of its outputs, () where none are known; both import
    when called. `parameters` counts the weights' values, without a normalization's statistics. `accuracy` is as
    published, `origin` says where weights come from, `sources` are the files there that can be fetched, and `bundled`
    names the file beside this module that holds them, where one is shipped.
    """

    name: str
    family: str
    description: str
    build: Callable[[], "nn.Module"]
    input: InputSpec
    parameters: int
    license: str
    origin: str
    accuracy: str = ""
    sources: tuple[Source, ...] = ()
    aliases: tuple[str, ...] = ()
    classes: Callable[[], tuple[str, ...]] = _no_classes
    bundled: str | None = None

    @property
    def bundled_path(self) -> Path | None:
        """Where the shipped weights lie, or None if they have to be fetched or brought."""
        return Path(__file__).with_name(self.bundled) if self.bundled else None

    def told_by(self, source: Source | None) -> "Entry":
        """The network as a source's file has it; None is a file that tells nothing of its own."""
        if source is None:
            return self
        return replace(self, input=source.input or self.input, build=source.build or self.build)
