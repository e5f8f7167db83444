"""Networks of JAX libraries: flaim and flaxmodels (linen), jimmy-vision (nnx), equimo (Equinox), Haiku, stax."""

import sys
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import featviz as fv
from door_networks.comparison import Case, Network, Value
from door_networks.jax_values import intermediates, randomize, recording
from featviz.model import OUTPUT


def linen_case(module: Any, size: int, **arguments: Any) -> Case:
    """A linen module, against what `capture_intermediates` gives."""
    init = jax.jit(partial(module.init, **arguments))
    variables = init(jax.random.key(0), jnp.zeros((1, size, size, 3)))
    variables = randomize({name: value for name, value in variables.items() if name != "intermediates"})

    def reference(images: np.ndarray) -> dict[str, Value]:
        run = partial(module.apply, capture_intermediates=True, mutable=["intermediates"], **arguments)
        output, state = run(variables, jnp.asarray(images))
        return {**dict(intermediates(state["intermediates"])), OUTPUT: Value(np.asarray(jax.tree.leaves(output)[0]))}

    spec = fv.InputSpec(size=(size, size))
    return Case((size, size), lambda: fv.from_linen(module, variables, input=spec, **arguments), reference)


def nnx_case(module: Any, size: int) -> Case:
    """An nnx module, against what its modules return."""
    from flax import nnx

    nnx.update(module, randomize(nnx.state(module, nnx.Not(nnx.RngState))))
    module.eval()
    inner = {"/".join(map(str, path)): each for path, each in nnx.iter_modules(module) if path}

    def reference(images: np.ndarray) -> dict[str, Value]:
        with recording(inner, axis=-1) as values:
            output = module(jnp.asarray(images))
        return {**values, OUTPUT: Value(np.asarray(output))}

    spec = fv.InputSpec(size=(size, size))
    return Case((size, size), lambda: fv.from_nnx(module, input=spec), reference)


def equinox_case(module: Any, size: int) -> Case:
    """An Equinox module of one image, against what its modules return for each."""
    import equinox as eqx

    arrays, rest = eqx.partition(module, eqx.is_array)
    module = eqx.nn.inference_mode(eqx.combine(randomize(arrays), rest))
    inner: dict[str, Any] = {}
    _collect(eqx, module, "", inner)

    def reference(images: np.ndarray) -> dict[str, Value]:
        runs = []
        for image in images:
            with recording(inner) as values:
                output = module(jnp.asarray(image).transpose(2, 0, 1))
            runs.append({**values, OUTPUT: Value(np.asarray(output))})
        first = {name for name, each in inner.items() if isinstance(each, eqx.nn.Conv | eqx.nn.BatchNorm)}
        return {
            name: Value(np.stack([run[name].array for run in runs]), 1 if name in first else None) for name in runs[0]
        }

    spec = fv.InputSpec(size=(size, size))
    return Case((size, size), lambda: fv.from_equinox(module, input=spec), reference)


def _collect(eqx: Any, tree: Any, path: str, found: dict[str, Any]) -> None:
    parts: dict[Any, Any] = {}
    if isinstance(tree, eqx.Module):
        if path:
            found[path] = tree
        parts = dict(vars(tree))
    elif isinstance(tree, list | tuple):
        parts = dict(enumerate(tree))
    elif isinstance(tree, dict):
        parts = tree
    for name, part in parts.items():
        _collect(eqx, part, f"{path}/{name}" if path else str(name), found)


def haiku_case(network: str, size: int, **arguments: Any) -> Case:
    """A network of Haiku as a function, against what its modules return."""
    import haiku as hk

    def call(images: jax.Array, *, is_training: bool) -> jax.Array:
        return getattr(hk.nets, network)(num_classes=10, **arguments)(images, is_training=is_training)

    transformed = hk.without_apply_rng(hk.transform_with_state(call))
    image = jnp.zeros((1, size, size, 3))
    weights = randomize(jax.jit(partial(transformed.init, is_training=True))(jax.random.key(0), image))

    def apply(weights: Any, images: jax.Array) -> jax.Array:
        return transformed.apply(*weights, images, is_training=False)[0]

    def reference(images: np.ndarray) -> dict[str, Value]:
        returned: list[tuple[str, jax.Array]] = []

        def record(following: Any, args: Any, kwargs: Any, context: Any) -> Any:
            output = following(*args, **kwargs)
            if context.method_name == "__call__" and isinstance(output, jax.Array):
                returned.append((context.module.module_name.replace("/~", ""), output))
            return output

        with hk.intercept_methods(record):
            output = apply(weights, jnp.asarray(images))
        # A function's layers are its scopes: the outermost names what leaves several at once.
        names = {id(array): name for name, array in returned}
        return {
            **{names[id(array)]: Value(np.asarray(array), -1) for _, array in returned},
            OUTPUT: Value(np.asarray(output)),
        }

    spec = fv.InputSpec(size=(size, size))
    return Case((size, size), lambda: fv.from_function(apply, weights, input=spec), reference)


def stax_case(size: int) -> Case:
    """A network of plain functions, `jax.example_libraries.stax`, against a run of one function after the other."""
    from jax.example_libraries import stax

    parts = [
        stax.Conv(8, (5, 5), (2, 2), "SAME"), stax.Relu, stax.MaxPool((2, 2), (2, 2)), stax.Conv(16, (3, 3)),
        stax.Relu, stax.AvgPool((2, 2)), stax.Conv(12, (3, 3), (1, 1), "SAME"), stax.Gelu, stax.Flatten,
        stax.Dense(20), stax.Relu, stax.Dense(10), stax.LogSoftmax,
    ]  # fmt: skip
    names = {0: "conv", 1: "conv/relu", 3: "conv_1", 4: "conv_1/relu", 6: "conv_2", 7: "conv_2/gelu", 9: "dot",
             10: "dot/relu", 11: "dot_1", 12: OUTPUT}  # fmt: skip
    init, apply = stax.serial(*parts)
    weights = randomize(init(jax.random.key(0), (-1, size, size, 3))[1])

    def reference(images: np.ndarray) -> dict[str, Value]:
        x, values = jnp.asarray(images), {}
        for index, ((_, run), weight) in enumerate(zip(parts, weights, strict=True)):
            x = run(weight, x)
            if index in names:
                values[names[index]] = Value(np.asarray(x), -1)
        return values

    spec = fv.InputSpec(size=(size, size))
    return Case((size, size), lambda: fv.from_function(apply, weights, input=spec), reference)


def _flaim(name: str, size: int) -> Case:
    # A name of older versions of JAX.
    vars(jax.random).setdefault("KeyArray", jax.Array)
    import flaim  # noqa: F401
    from flaim.models.factory import CONFIGS

    config = {key: value for key, value in CONFIGS[name].items() if key not in ("model_cls", "norm_stats")}
    return linen_case(CONFIGS[name]["model_cls"](**config, n_classes=10), size, training=False)


def _flaxmodels(size: int) -> Case:
    import flaxmodels

    return linen_case(flaxmodels.ResNet18(output="logits", pretrained=None, num_classes=10), size, train=False)


def _jimmy(size: int) -> Case:
    import flax.nnx.module

    # A name of older versions of Flax.
    sys.modules.setdefault("flax.nnx.nnx", flax.nnx)
    sys.modules.setdefault("flax.nnx.nnx.module", flax.nnx.module)
    from jimmy.models.vit import DinoV2

    module = DinoV2(
        img_size=size, patch_size=14, embed_dim=32, depth=2, num_heads=2, reg_tokens=2, rngs=flax.nnx.Rngs(0)
    )
    return nnx_case(module, size)


def _equimo(name: str, size: int, **arguments: Any) -> Case:
    import equimo.models

    return equinox_case(getattr(equimo.models, name)(**arguments, key=jax.random.key(0)), size)


def _vit(size: int) -> Case:
    import equimo.models

    build = partial(equimo.models.VisionTransformer, img_size=size, in_channels=3, dim=32, patch_size=8)
    return equinox_case(build(num_heads=[2], depths=[2], num_classes=10, key=jax.random.key(0)), size)


NETWORKS = [
    *(
        Network(name, "flaim", "linen", partial(_flaim, name, 64))
        for name in ("convnextv2_atto_fcmae_ftin1k", "van_b0", "regnety_200mf", "vgg11_bn")
    ),
    Network("ResNet18", "flaxmodels", "linen", partial(_flaxmodels, 64)),
    Network("DinoV2", "jimmy-vision", "nnx", partial(_jimmy, 28)),
    Network("VisionTransformer", "equimo", "equinox", partial(_vit, 32)),
    Network("ConvNeXt", "equimo", "equinox", partial(_equimo, "convnext_t", 32)),
    *(
        Network(name, "equimo", "equinox", partial(_equimo, name, 64))
        for name in ("iformer_t", "reduceformer_backbone_b1")
    ),
    Network("ResNet18", "haiku", "function", partial(haiku_case, "ResNet18", 64)),
    Network("MobileNetV1", "haiku", "function", partial(haiku_case, "MobileNetV1", 64)),
    Network("convolutions and dense layers", "stax", "function", partial(stax_case, 32)),
]
