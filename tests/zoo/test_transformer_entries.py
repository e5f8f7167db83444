"""The zoo's transformers compute what plain PyTorch definitions of them do with the same random weights."""

import dataclasses
import functools
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch: make test-frameworks")

from flax.traverse_util import flatten_dict  # noqa: E402
from support.torch_zoo import clip as zoo_clip  # noqa: E402
from support.torch_zoo import siglip as zoo_siglip  # noqa: E402
from support.torch_zoo import vit as zoo_vit  # noqa: E402

import featviz as fv  # noqa: E402
from featviz.adapters.linen import from_linen  # noqa: E402
from featviz.errors import FeatvizError  # noqa: E402
from featviz.zoo.architectures.clip import ClipResNet, ClipTransformer  # noqa: E402
from featviz.zoo.architectures.dinov2 import DinoV2  # noqa: E402
from featviz.zoo.architectures.siglip import SigLip  # noqa: E402
from featviz.zoo.architectures.vit import VisionTransformer  # noqa: E402
from featviz.zoo.registry import find, outline  # noqa: E402
from featviz.zoo.weights.convert import convert  # noqa: E402
from featviz.zoo.weights.match import read_network  # noqa: E402

pytestmark = pytest.mark.frameworks


def clip_transformer(**options):
    return zoo_clip.Clip(zoo_clip.ClipTransformer(**options))


def clip_resnet(**options):
    return zoo_clip.Clip(zoo_clip.ClipResNet(**options))


SMALL = {"width": 24, "heads": 3, "depth": 2}
RESNET = {"blocks": (1, 2, 1, 1), "width": 8, "heads": 4, "features": 10, "trained_side": 2}
# Of each family the network whose file's names it has, ours and PyTorch's, options that make both small, and sizes of
# images: as the position embedding was trained, and others.
FAMILIES = {
    "vit": ("vit_tiny", VisionTransformer, zoo_vit.VisionTransformer,
        {**SMALL, "trained_side": 2, "classes": 5}, 16, 2),
    "deit": ("deit_base", VisionTransformer, zoo_vit.VisionTransformer,
        {**SMALL, "trained_side": 4, "classes": 5}, 16, 4),
    "dinov2": ("dinov2_small", DinoV2, zoo_vit.DinoV2, {**SMALL, "trained_side": 5}, 14, 5),
    "siglip": ("siglip_base", SigLip, zoo_siglip.SigLip, {**SMALL, "trained_side": 3}, 16, 3),
    "clip transformer": (
        "clip_vit_b32", ClipTransformer, clip_transformer,
        {**SMALL, "patch": 32, "trained_side": 2, "features": 10}, 32, 2,
    ),
    "clip resnet": ("clip_resnet50", ClipResNet, clip_resnet, RESNET, 32, 2),
}  # fmt: skip
# Each network of these families, and its definition in PyTorch.
NETWORKS = {
    "deit_tiny": zoo_vit.VisionTransformer,
    "deit_small": functools.partial(zoo_vit.VisionTransformer, width=384, heads=6),
    "deit_base": functools.partial(zoo_vit.VisionTransformer, width=768, heads=12),
    "vit_tiny": zoo_vit.VisionTransformer,
    "vit_small": functools.partial(zoo_vit.VisionTransformer, width=384, heads=6),
    "vit_base": functools.partial(zoo_vit.VisionTransformer, width=768, heads=12),
    "dinov2_small": zoo_vit.DinoV2,
    "dinov2_base": functools.partial(zoo_vit.DinoV2, width=768, heads=12),
    "siglip_base": zoo_siglip.SigLip,
    "clip_resnet50": clip_resnet,
    "clip_vit_b16": functools.partial(clip_transformer, patch=16, trained_side=14),
    "clip_vit_b32": functools.partial(clip_transformer, patch=32, trained_side=7),
}


def randomized(network):
    """Random weights and statistics, of sizes that keep values and their spread about 1."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        if name.endswith("running_var") or (tensor.ndim == 1 and name.endswith(("weight", "gamma"))):
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
        else:
            # He et al. 2015 for what ReLUs follow.
            size = 0.3 if tensor.ndim < 2 else (max(1, tensor.ndim - 2) / tensor[0].numel()) ** 0.5
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * size)
    return network.eval()


def template(module, size):
    image = jax.ShapeDtypeStruct((1, *size, 3), jnp.float32)
    return jax.eval_shape(module.init, jax.random.key(0), image)["params"]


@pytest.fixture(scope="module", params=list(FAMILIES))
def both(request):
    """Our network, its weights converted from PyTorch's, PyTorch's, the patch, and the patches a side at training."""
    name, ours, theirs, options, patch, trained = FAMILIES[request.param]
    network = randomized(theirs(**options))
    tensors = {key: value.numpy() for key, value in network.state_dict().items()}
    module, source = ours(**options), find(name).sources[0]
    side = (patch * trained,) * 2
    weights = convert(tensors, template(module, side), file="its.pth", names=source.names, ignored=source.ignored)
    return module, weights, network, patch, trained


def shapes(both):
    _, _, _, patch, trained = both
    return [(patch * rows, patch * columns) for rows, columns in ((trained, trained), (trained + 1, 1))]


def differ(ours, theirs):
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


def test_outputs_and_image_gradients_are_those_of_pytorch(both):
    module, weights, network, _, _ = both
    for shape in shapes(both):
        random = np.random.default_rng(1)
        images = random.normal(size=(2, *shape, 3)).astype(np.float32)
        x = torch.tensor(images).permute(0, 3, 1, 2).requires_grad_()
        expected = network(x)
        toward = random.normal(size=expected.shape).astype(np.float32)
        (gradient,) = torch.autograd.grad((expected * torch.tensor(toward)).sum(), x)

        def apply(images, shape=shape):
            return module.apply({"params": weights}, images)

        output, pull = jax.vjp(jax.jit(apply), jnp.asarray(images))
        assert differ(output, expected.detach().numpy()) < 1e-4, shape
        assert differ(pull(jnp.asarray(toward))[0], gradient.permute(0, 2, 3, 1).numpy()) < 1e-3, shape


def test_the_error_names_a_tensor_that_the_network_lacks(both, request):
    module, _, network, patch, trained = both
    source = find(FAMILIES[request.node.callspec.params["both"]][0]).sources[0]
    tensors = {key: value.numpy() for key, value in network.state_dict().items()}
    tensors["visual.more.weight"] = np.zeros(1, np.float32)
    expected = template(module, (patch * trained,) * 2)
    with pytest.raises(FeatvizError, match="`its.pth` holds the tensor `visual.more.weight`, which the network lacks"):
        convert(tensors, expected, file="its.pth", names=source.names, ignored=source.ignored)


def test_clips_torchscript_archives_are_read(tmp_path):
    options = {**SMALL, "patch": 32, "trained_side": 2, "features": 10}
    network = randomized(clip_transformer(**options)).half()
    with warnings.catch_warnings():
        # TorchScript is deprecated, and tells of shapes that it took for constants.
        warnings.simplefilter("ignore")
        torch.jit.trace(network.float(), torch.zeros(1, 3, 64, 64)).half().save(str(tmp_path / "clip.pt"))
    expected = template(ClipTransformer(**options), (64, 64))
    tree, _ = read_network(tmp_path / "clip.pt", expected, sources=find("clip_vit_b32").sources)
    np.testing.assert_array_equal(tree["proj"]["matrix"], network.visual.proj.detach().numpy())
    mixed = network.visual.transformer.resblocks[1].attn.in_proj_weight.detach().numpy()
    np.testing.assert_array_equal(tree["transformer"]["resblocks"]["1"]["attn"]["in_proj"]["kernel"], mixed.T)


@pytest.mark.parametrize("name", NETWORKS)
def test_full_sizes_have_the_files_names_shapes_and_parameters(name):
    entry = find(name)
    with torch.device("meta"):
        network = NETWORKS[name]()
    theirs = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    module = entry.build()
    ours = flatten_dict(template(module, entry.input.size), sep="/")
    for source in entry.sources:
        # Zeros that take no memory.
        zeros = {key: np.broadcast_to(np.float32(0), shape) for key, shape in theirs.items()}
        tree = convert(
            zeros, template(module, entry.input.size), file=source.file, names=source.names, ignored=source.ignored
        )
        assert flatten_dict(tree, sep="/").keys() == ours.keys()
    ignored = {"mask_token", "text_projection", "logit_scale"}
    count = sum(value.numel() for key, value in network.named_parameters() if key not in ignored)
    assert count == entry.parameters


def test_the_units_and_heads_of_transformers_are_layers():
    layers = {
        "dinov2_small": ["blocks/3/mlp/act", "blocks/3/attn/heads", "blocks/3/ls1", "norm"],
        "siglip_base": ["blocks/3/mlp/act", "blocks/3/attn/heads", "attn_pool/heads", "attn_pool/mlp/act"],
        "clip_vit_b32": [
            *("transformer/resblocks/3/mlp/gelu", "transformer/resblocks/3/attn/heads", "ln_pre", "proj"),
        ],
        "clip_resnet50": ["layer1/0/bn1/relu", "layer4/2", "layer2/0/downsample", "attnpool/heads", "attnpool"],
    }
    for name, wanted in layers.items():
        found = {layer.name: layer for layer in outline(name).layers}
        assert set(wanted) <= found.keys()
    assert found["attnpool"].shape == (1024,) and found["layer4/2"].shape == (7, 7, 2048)


def test_a_picture_rises_above_its_noise(both, request):
    module, weights, _, patch, trained = both
    name = FAMILIES[request.node.callspec.params["both"]][0]
    spec = dataclasses.replace(find(name).input, size=(patch * trained,) * 2)
    model = from_linen(module, {"params": weights}, input=spec, name=name)
    layer = next(each.name for each in model.layers if each.name.endswith(("blocks/1", "layer2")))
    pictures = fv.render(model, fv.channel(layer, range(4)), size=spec.size[0], steps=24)
    assert max(picture.score - picture.history[0] for picture in pictures) > 0.2
