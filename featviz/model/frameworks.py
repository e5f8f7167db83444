"""The frameworks whose networks featviz takes: each listed once, for hints, for the command line and for adapters."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from featviz.errors import FeatvizError
from featviz.model.model import Model


@dataclass(frozen=True)
class Framework:
    """One framework, and the class that its networks inherit from.

    Attributes:
        key: Its name in `fv.from_KEY`.
        title: Its name in prose.
        module: Prefix of the module that defines the base class, since frameworks move their classes about.
        base_class: The name of the base class of its networks.
        extra: What `pip install featviz[EXTRA]` installs for it, or None where featviz itself needs it.
        file_suffix: The suffix of the network files that the adapter reads, or None.
        holds_weights: Whether a network object holds its weights; linen keeps them apart.
        declares_input: Whether a network says of which size its images are, so that `input` may be left out.
        takes_fixed: Whether the adapter takes `fixed`, arrays for a network's inputs besides its image.
    """

    key: str
    title: str
    module: str
    base_class: str
    extra: str | None = None
    file_suffix: str | None = None
    holds_weights: bool = True
    declares_input: bool = False
    takes_fixed: bool = False

    @property
    def adapter(self) -> str:
        """The name of the function of `featviz` that makes a Model of its networks."""
        return f"from_{self.key}"

    @property
    def install_hint(self) -> str:
        """The command that installs it."""
        return f"pip install featviz[{self.extra}]" if self.extra else "pip install featviz"


FRAMEWORKS: Mapping[str, Framework] = MappingProxyType(
    {
        framework.key: framework
        for framework in (
            Framework("linen", "Flax linen", "flax.linen", "Module", holds_weights=False),
            Framework("nnx", "Flax nnx", "flax.nnx", "Module"),
            Framework("torch", "PyTorch", "torch.nn", "Module", extra="torch", takes_fixed=True),
            Framework(
                "keras",
                "Keras",
                "keras",
                "Model",
                extra="keras",
                file_suffix=".keras",
                declares_input=True,
                takes_fixed=True,
            ),
            Framework("equinox", "Equinox", "equinox", "Module", extra="equinox"),
            Framework(
                "onnx",
                "ONNX",
                "onnx",
                "ModelProto",
                extra="onnx",
                file_suffix=".onnx",
                declares_input=True,
                takes_fixed=True,
            ),
        )
    }
)


def find_framework(network: object) -> Framework | None:
    """The framework that a network object is of, without importing any; None if it is of none of them.

    >>> import flax.linen as nn
    >>> find_framework(nn.Dense(3)).adapter, find_framework("resnet50")
    ('from_linen', None)
    """
    bases = [(f"{base.__module__}.", base.__name__) for base in type(network).__mro__]
    for framework in FRAMEWORKS.values():
        if any(name == framework.base_class and module.startswith(f"{framework.module}.") for module, name in bases):
            return framework
    return None


def require_model(given: object, *, name: str = "model") -> Model:
    """The argument itself, if it is a Model.

    Args:
        given: What the caller was given.
        name: The argument's name, for the message.

    Raises:
        FeatvizError: If it is something else; the message names the function that makes a Model of it.

    >>> require_model("googlenet")
    Traceback (most recent call last):
    featviz.errors.FeatvizError: `model` is 'googlenet'; expected a Model, such as fv.load('googlenet') gives
    """
    if isinstance(given, Model):
        return given
    if isinstance(given, str):
        raise FeatvizError(f"`{name}` is {given!r}; expected a Model, such as fv.load({given!r}) gives")
    framework = find_framework(given)
    hint = (
        f"fv.{framework.adapter}(...) gives"
        if framework
        else "fv.load(...) or an adapter such as fv.from_torch(...) gives"
    )
    raise FeatvizError(f"`{name}` is a {type(given).__name__}; expected a Model, as {hint}")
