"""PyTorch: a module becomes a Model through torch.export, its layers named as PyTorch names its modules."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from featviz.adapters.adapter_errors import missing_framework, require_input
from featviz.adapters.fixed_inputs import Fixed
from featviz.adapters.torch.exported_network import ExportedNetwork
from featviz.adapters.torch.fixed_forward import prepared_copies
from featviz.adapters.torch.graph_export import LOCK
from featviz.adapters.torch.module_copies import unwrapped
from featviz.adapters.torch.module_runs import StoppedError, reason
from featviz.adapters.traced import build_model
from featviz.common.rare_collection import rare_collection
from featviz.errors import FeatvizError, suggest
from featviz.model import InputSpec, Model

if TYPE_CHECKING:
    import torch


def from_torch(
    module: "torch.nn.Module",
    *,
    input: InputSpec | None = None,
    fixed: Fixed | None = None,
    name: str | None = None,
    axes: Mapping[str, int] | None = None,
    classes: tuple[str, ...] = (),
    source: Mapping[str, str] | None = None,
    upto: str | None = None,
) -> Model:
    """A Model of a PyTorch module, run as in `eval` mode.

    The module is run once and exported (`torch.export`); JAX runs the graph. Layers are the outputs of all modules
    within, by PyTorch's dotted names (`layer1.0.conv1`), and the activation functions that are not modules:
    `layer1.0.bn1/relu` of that module's output, `layer1.0/relu` of anything else in it. A module called twice gives
    `relu` and `relu[1]`, one that returns several arrays `attention/0`, `attention/1`.

    Gradients are those of the forward; a warning names each `autograd.Function` whose backward is another one. Through
    what is computed under `torch.no_grad` none goes, with a warning, unless nothing else leads to the output; hooks on
    gradients are not called, with a warning. Where the module looks at values (`.item()`, `if x.sum() > 0`) or uses an
    operator that featviz lacks the network ends, with a warning; another names the first layer that has other values in
    the export, as where code asks whether it is traced. Values that no image and no weight decides are part of the
    program, as they are at adaptation: the places of a mask of booleans that the module keeps and that an array is
    indexed with, a flag. A forward that asks whether values are finite is answered that they are.

    Args:
        module: The network, which is left as it is. Its current weights are copied, to float32. Wrappers
            are taken off: DataParallel, torch.compile, checkpointing.
        input: How the network takes its images. PyTorch's image networks take channels first:
            `InputSpec(size=(224, 224), channels_first=True, ...)`.
        fixed: For a module of several inputs, an array for each but the image, by the parameter of its forward, for
            one image.
        name: What captions and messages call it, by default the module's class.
        axes: By layer or pattern of layers, the axis of its units in the array that the network computes, such as
            `{"mixer": 2}`, where featviz's is not right.
        classes: The names of its outputs.
        source: Where it comes from, as pictures record it.
        upto: The layer that the network ends behind, its first call; what follows is neither run nor exported.

    Returns:
        The Model.

    Raises:
        FeatvizError: If the forward takes inputs that `fixed` lacks; if `upto` names no module that runs; if `input` is
            missing or the module fails on images of its size, with the inner module that failed; if nothing can be
            computed before an operator that featviz lacks, with the user's line; if PyTorch is not installed.
    """
    torch = _import()
    if not isinstance(module, torch.nn.Module) or isinstance(module, torch.jit.ScriptModule):
        raise FeatvizError(
            f"`module` is of type {type(module).__name__}; expected a torch.nn.Module, not a compiled one"
        )
    input = require_input(input, type(module).__name__, channels_first=True)
    module = unwrapped(module)
    name = name or type(module).__name__
    if upto is not None and upto not in (names := [path for path, _ in module.named_modules() if path]):
        raise FeatvizError(f"`upto` names `{upto}`, which {name} lacks; {suggest(upto, names)}")
    with LOCK, rare_collection():
        shape = _encoded_shape(input)
        candidates = (ExportedNetwork(copied, name, upto=upto) for copied in prepared_copies(module, fixed, name))
        network = first = next(candidates)
        if not first.runs(shape):
            network = next((other for other in candidates if other.runs(shape)), first)
        try:
            weights, single_image = network.prepare(shape)
        except StoppedError as stopped:
            raise FeatvizError(f"{name} cannot be exported: {reason(stopped.failure)}") from stopped.failure
    if not network.ends_as_asked:
        raise FeatvizError(f"`upto` names `{upto}`, which {name} does not call; expected a module that it calls")
    try:
        model = build_model(
            network.forward,
            weights,
            input,
            name=name,
            single_image=single_image,
            axes=axes,
            classes=classes,
            source=source,
            known=network.identity,
        )
    except FeatvizError as error:
        if input.channels_first:
            raise
        raise FeatvizError(f"{error}; `input` has channels last, PyTorch's have `channels_first=True`") from error
    network.warn()
    return model


def _import() -> Any:
    try:
        import torch
        import torch.export
    except ImportError as error:
        raise missing_framework("torch", error) from None
    return torch


def _encoded_shape(input: InputSpec) -> tuple[int, ...]:
    images = jax.ShapeDtypeStruct((2, *input.size, input.channels), jnp.float32)
    return tuple(jax.eval_shape(input.encode, images).shape)
