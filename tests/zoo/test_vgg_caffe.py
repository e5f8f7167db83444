"""VGG's original Caffe files give what plain PyTorch computes from BGR minus the mean."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import weight_files as files

torch = pytest.importorskip("torch", reason="needs PyTorch: make test-frameworks")

from support.torch_zoo import vgg as zoo_vgg  # noqa: E402
from torch import nn  # noqa: E402

import featviz as fv  # noqa: E402
from featviz.model import OUTPUT  # noqa: E402
from featviz.zoo import registry  # noqa: E402
from featviz.zoo.architectures.vgg import VGG  # noqa: E402

pytestmark = pytest.mark.frameworks

MEAN = torch.tensor([103.939, 116.779, 123.68])
THIN = {
    "vgg16": ((4,) * 2, (6,) * 2, (8,) * 3, (8,) * 3, (8,) * 3),
    "vgg19": ((4,) * 2, (6,) * 2, (8,) * 4, (8,) * 4, (8,) * 4),
}


def caffe_layers(network, groups):
    """Each layer's blobs, in their order and by the names of the authors' prototxt; Caffe's axes are PyTorch's."""
    names = [f"conv{group}_{number}" for group, widths in enumerate(groups, 1) for number in range(1, len(widths) + 1)]
    weighted = [module for module in network.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    pairs = zip([*names, "fc6", "fc7", "fc8"], weighted, strict=True)
    return {name: [module.weight.detach().numpy(), module.bias.detach().numpy()] for name, module in pairs}


@pytest.mark.parametrize("name", THIN)
def test_vgg_of_a_caffemodel(name, tmp_path, monkeypatch):
    torch.manual_seed(0)
    groups, path = THIN[name], tmp_path / "net.caffemodel"
    network = zoo_vgg.VGG(groups, 5, 16).eval()
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    path.write_bytes(files.caffemodel(caffe_layers(network, groups), old=True))
    entry = dataclasses.replace(registry.find(name), build=lambda: VGG(groups, 5, 16), classes=tuple)
    monkeypatch.setattr(registry, "find", lambda name: entry)
    model = fv.load(name, weights=path)

    random = np.random.default_rng(1)
    images, weight = random.uniform(size=(3, 64, 83, 3)).astype(np.float32), random.normal(size=(3, 5)).astype("f4")
    x = torch.tensor(images, requires_grad=True)
    expected = network((x.flip(-1) * 255 - MEAN).permute(0, 3, 1, 2))
    (slope,) = torch.autograd.grad((expected * torch.tensor(weight)).sum(), x)

    def score(images):
        logits = model.apply(model.weights, images, layers=[OUTPUT])[OUTPUT]
        return jnp.sum(logits * weight), logits

    (_, logits), gradient = jax.jit(jax.value_and_grad(score, has_aux=True))(images)
    assert differ(logits, expected.detach().numpy()) < 1e-4 and np.abs(logits).max() > 1e-2
    # A ReLU within rounding of 0 may fall on the other side: most images are spared.
    assert np.median([differ(*each) for each in zip(gradient, slope.numpy(), strict=True)]) < 1e-3


def differ(ours, theirs):
    return np.abs(np.asarray(ours) - theirs).max() / np.abs(theirs).max()
