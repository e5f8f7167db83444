"""PyTorch: a module becomes a Model through torchax, its layers named as PyTorch names its modules."""

import copy
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from featviz.adapters.adapter_errors import failing_in, missing_framework, require_input
from featviz.adapters.torch.lowerings import correct
from featviz.adapters.traced import build_model
from featviz.errors import FeatvizError
from featviz.model import InputSpec, Model, Weights
from featviz.tracing.marks import entry_name, mark, module_scope

if TYPE_CHECKING:
    import torch

# What importing torchax sets in JAX.
CLIENT_OPTIONS = "jax_pjrt_client_create_options"


def from_torch(
    module: "torch.nn.Module",
    *,
    input: InputSpec | None = None,
    name: str | None = None,
    classes: tuple[str, ...] = (),
    source: Mapping[str, str] | None = None,
) -> Model:
    """A Model of a PyTorch module, run as in `eval` mode.

    Layers are the outputs of all modules within, by PyTorch's dotted names (`layer1.0.conv1`), and the activation
    functions that are not modules: `layer1.0.bn1/relu` of that module's output, `layer1.0/relu` of anything else in
    it. A module called twice gives `relu` and `relu[1]`, one that returns several arrays `attention/0`, `attention/1`.

    Args:
        module: The network, which is left as it is. Its current weights are copied, to float32.
        input: How the network takes its images. PyTorch's image networks take channels first:
            `InputSpec(size=(224, 224), channels_first=True, ...)`.
        name: What captions and messages call it, by default the module's class.
        classes: The names of its outputs.
        source: Where it comes from, as pictures record it.

    Returns:
        The Model.

    Raises:
        FeatvizError: If `input` is missing or the module fails on images of its size, with the inner module that
            failed; if it uses an operation that torchax lacks; if PyTorch or torchax is not installed.
    """
    torch = _import()
    if not isinstance(module, torch.nn.Module) or isinstance(module, torch.jit.ScriptModule):
        raise FeatvizError(
            f"`module` is of type {type(module).__name__}; expected a torch.nn.Module, not a compiled one"
        )
    input = require_input(input, type(module).__name__, channels_first=True)
    module = getattr(module, "_orig_mod", module)  # from within torch.compile
    tensors = _tensors(module)
    lazy = next((path for path, each in tensors.items() if torch.nn.parameter.is_lazy(each)), None)
    if lazy is not None:
        raise FeatvizError(f"`{lazy}` has no values yet; expected a `module` that was called once")
    skeleton = _skeleton(module, tensors)

    def forward(weights: Weights, encoded: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        return _run(skeleton, weights, encoded), {}

    try:
        return build_model(
            forward,
            {path: _array(tensor) for path, tensor in tensors.items()},
            input,
            name=name or type(module).__name__,
            classes=classes,
            source=source,
        )
    except FeatvizError as error:
        if input.channels_first:
            raise
        raise FeatvizError(f"{error}; `input` has channels last, PyTorch's have `channels_first=True`") from error


def _import() -> Any:
    """PyTorch and torchax, without what importing torchax changes for everyone."""
    try:
        import torch

        before = jax.config.values[CLIENT_OPTIONS]
        with _composed_attention():
            import torchax.tensor  # noqa: F401
        jax.config.update(CLIENT_OPTIONS, before)
    except ImportError as error:
        raise missing_framework("torch", error) from None
    return torch


@contextmanager
def _composed_attention() -> Iterator[None]:
    """Attention in steps that JAX knows, not as PyTorch's one fused operation."""
    from torch.backends import mha

    before = mha.get_fastpath_enabled()
    mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        mha.set_fastpath_enabled(before)


def _tensors(module: "torch.nn.Module") -> dict[str, "torch.Tensor"]:
    """Parameters, buffers, and tensors that modules hold as plain attributes, by path."""
    import torch

    plain = {
        f"{path}.{name}" if path else name: value
        for path, each in module.named_modules()
        for name, value in vars(each).items()
        if isinstance(value, torch.Tensor)
    }
    return {**dict(module.named_parameters()), **dict(module.named_buffers()), **plain}


def _array(tensor: "torch.Tensor") -> jax.Array:
    tensor = tensor.detach().cpu()
    values = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    # JAX's own integers; copied, since training goes on in place.
    kind = np.int32 if values.dtype == np.int64 else values.dtype
    return jnp.array(values.astype(kind), copy=True)


def _skeleton(module: "torch.nn.Module", tensors: Mapping[str, "torch.Tensor"]) -> "torch.nn.Module":
    """A copy of a module that holds no values; each of its tensors can be replaced by path."""
    import torch

    def empty(tensor: "torch.Tensor") -> "torch.Tensor":
        shape = tensor.detach().to("meta")
        return torch.nn.Parameter(shape, requires_grad=False) if isinstance(tensor, torch.nn.Parameter) else shape

    skeleton = copy.deepcopy(module, {id(tensor): empty(tensor) for tensor in tensors.values()}).eval()
    for each in skeleton.modules():
        for name, value in list(vars(each).items()):
            if isinstance(value, torch.Tensor):
                delattr(each, name)
                each.register_buffer(name, value)
    return skeleton


def _run(skeleton: "torch.nn.Module", weights: Weights, encoded: jax.Array) -> jax.Array:
    """The network's output; on the way, each module's is marked."""
    import torch
    from torchax.tensor import Environment

    # What modules keep of one run is thrown away with the copy, and runs side by side share nothing.
    network = copy.deepcopy(skeleton)
    for path, each in network.named_modules():
        _watch(path, each)
    environment = correct(Environment())
    with (
        environment.override_property(prng=jax.random.key(0)),
        _composed_attention(),
        warnings.catch_warnings(),
        torch.no_grad(),
        environment,
        # Where a tensor is made without saying where.
        torch.device("jax"),
    ):
        warnings.filterwarnings("ignore", "Explicitly requested dtype")
        values, image = environment.j2t_iso((weights, encoded))
        output = _arrays(torch.func.functional_call(network, values, (image,)))
    if not output:
        raise FeatvizError(f"{type(skeleton).__name__} returns no array")
    return next(iter(output.values()))


def _watch(path: str, module: "torch.nn.Module") -> None:
    """Names what a module computes."""
    call = module.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        with failing_in(path, module), module_scope(path, opaque=True):
            return call(*args, **kwargs)

    def read(module: Any, args: Any, output: Any) -> None:
        # Within the hook: an operation in place may overwrite it later.
        mark(path, _arrays(output))

    module.forward = forward
    module.register_forward_hook(read)


def _arrays(output: Any) -> dict[str, jax.Array]:
    """The arrays of what a module returned, by where they stand in it."""
    from torch.utils._pytree import tree_flatten_with_path
    from torchax.tensor import Tensor, View

    leaves, _ = tree_flatten_with_path(output)
    return {"/".join(map(entry_name, path)): leaf.jax() for path, leaf in leaves if isinstance(leaf, Tensor | View)}
