"""One network of the zoo: what it is, how it is built, and the official sources of its weights."""

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
    """A function that imports `featviz.zoo.MODULE` when it is called and calls its `function` with these options.

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
    """An official file of a network's weights.

    Attributes:
        url: Its address.
        sha256: The published SHA-256, or its published beginning: PyTorch writes eight digits into a file's name. None
            where none is published.
        bytes: Its size, for the progress bar.
        names: A tensor's name in the file for its name in our network (`layer1/0/conv1/kernel`), by default PyTorch's
            (`layer1.0.conv1.weight`).
        axes: A tensor in our order of axes, by default from PyTorch's (`convert.torch_axes`).
        ignored: Regular expressions of tensors that are not part of the network, such as auxiliary classifiers.
        ones: Regular expressions of our tensors that are not in the file and are all 1.
        input: How these weights take their images, where they were trained on others than the entry's.
        build: The module for these weights, where their framework computes something differently.
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

    Attributes:
        name: Its name for `fv.load`.
        family: The family that `featviz models` groups it under.
        description: One line about it.
        build: Returns the Flax module; imports it when called.
        input: How it takes its images.
        parameters: The number of weights, without a normalization's statistics.
        license: The license of the weights.
        origin: Who published the weights.
        accuracy: As published.
        sources: Official files; the first one is fetched.
        aliases: Further names.
        classes: Returns the names of its outputs, () where they are unknown; imports them when called.
        bundled: The name of the file beside this module that holds the weights, where one is shipped.
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
        """The path of the shipped weights, or None if there are none."""
        return Path(__file__).with_name(self.bundled) if self.bundled else None

    def adapted_to(self, source: Source | None) -> "Entry":
        """The network with a source's input and module; None stands for a file of no known source."""
        if source is None:
            return self
        return replace(self, input=source.input or self.input, build=source.build or self.build)
