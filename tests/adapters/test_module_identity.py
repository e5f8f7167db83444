"""Modules recognized in another process: the same module is exported once, another one is never taken for it."""

from types import MethodType

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch: make test-frameworks")

import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

import featviz as fv  # noqa: E402
from featviz.adapters.torch import exported_network, module_identity  # noqa: E402
from featviz.common import shortcuts  # noqa: E402
from featviz.model import OUTPUT  # noqa: E402

pytestmark = pytest.mark.frameworks
SPEC = fv.InputSpec(size=(32, 32), channels_first=True)


class Function(nn.Module):
    """A network of a convolution, whose result a function takes."""

    def __init__(self, function, channels=8):
        super().__init__()
        self.conv = nn.Conv2d(3, channels, 3, padding=1)
        self.register_buffer("chosen", torch.tensor([0, 2, 3]))
        self.table = torch.linspace(0, 1, 8)
        self.function = function
        self.slope = 0.1

    def forward(self, x):
        return self.function(self, self.conv(x))


class Mixed(Function):
    """The same of another class."""


def relu(net, x):
    return F.relu(x)


def leaky(net, x):
    return F.leaky_relu(x, net.slope)


def choose(net, x):
    return x[:, net.chosen]


def scale(net, x):
    return x * net.table[:, None, None]


def halves(net, x):
    return x if x.shape[-1] > 30 else x * 0.5


def centered(net, x):
    return x - x.mean()


def random(net, x):
    return x + torch.rand_like(x)


@pytest.fixture
def exports(tmp_path, monkeypatch):
    """The shapes of the images that modules are exported for."""
    monkeypatch.setenv("FEATVIZ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FEATVIZ_KEEP_PROGRAMS", "1")
    monkeypatch.setattr(shortcuts, "source_digest", lambda: "source")
    # This file may have been edited a moment ago.
    monkeypatch.setattr(module_identity, "unchanged", lambda files: True)
    shapes = []
    export = exported_network.export_graph
    monkeypatch.setattr(
        exported_network, "export_graph", lambda *args, **given: shapes.append(args[1].shape) or export(*args, **given)
    )
    before = jax.config.jax_compilation_cache_dir  # another test of this process may have set it
    jax.config.update("jax_compilation_cache_dir", None)
    yield shapes
    jax.config.update("jax_compilation_cache_dir", before)


def draw(module, *, size=24, layer="conv", upto=None):
    model = fv.from_torch(module, input=SPEC, upto=upto)
    picture = fv.render(model, fv.channel(layer, 1), size=size, steps=2, progress=False)
    return model, picture


def seeded(function, kind=Function, **options):
    torch.manual_seed(0)
    return kind(function, **options).eval()


@pytest.mark.parametrize("function", [choose, halves])
def test_the_same_module_is_neither_exported_nor_traced_again(exports, function):
    first, picture = draw(seeded(function))
    assert exports
    exports.clear()
    second, again = draw(seeded(function))
    assert not exports and second.layers == first.layers and second.relus == first.relus
    np.testing.assert_array_equal(picture.pixels, again.pixels)
    assert picture.score == again.score
    # What was not asked for before is exported then.
    check_output(second, seeded(function))
    assert exports


def test_a_module_cut_behind_a_layer_is_recognized_too(exports):
    """It is another network than the whole one, of which the graph is another."""
    _, picture = draw(seeded(relu), upto="conv")
    assert exports
    exports.clear()
    second, again = draw(seeded(relu), upto="conv")
    assert not exports
    np.testing.assert_array_equal(picture.pixels, again.pixels)
    whole = fv.from_torch(seeded(relu), input=SPEC)
    assert exports
    assert [layer.name for layer in second.layers] == ["conv"] != [layer.name for layer in whole.layers]


def test_a_layer_that_is_not_called_is_refused_each_time(exports):
    module = seeded(relu)
    module.unused = nn.Conv2d(3, 8, 1)
    for _ in range(2):
        with pytest.raises(fv.FeatvizError, match="`upto` names `unused`, which Function does not call"):
            fv.from_torch(module, input=SPEC, upto="unused")


def check_output(model, module):
    """The model's output is PyTorch's."""
    images = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    ours = jax.jit(lambda weights, images: model.apply(weights, images, layers=[OUTPUT])[OUTPUT])
    with torch.no_grad():
        theirs = module(torch.tensor(images).permute(0, 3, 1, 2)).numpy()
    np.testing.assert_allclose(np.moveaxis(np.asarray(ours(model.weights, images)), -1, 1), theirs, atol=1e-5)


def test_other_weights_are_the_same_network(exports):
    draw(seeded(relu))
    exports.clear()
    other = seeded(relu)
    with torch.no_grad():
        other.conv.weight.mul_(-1)
    _, picture = draw(other)
    assert not exports
    expected = render_anew(other)
    np.testing.assert_array_equal(picture.pixels, expected.pixels)


def render_anew(module):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FEATVIZ_KEEP_PROGRAMS", "0")
        return draw(module)[1]


def change_buffer(module):
    module.chosen[1] = 5


def change_table(module):
    module.table[3] = 7.0


def change_setting(module):
    module.slope = 0.2


def change_function(module):
    module.function = leaky


def change_class(module):
    module.__class__ = Mixed


def change_padding(module):
    module.conv.padding_mode = "reflect"


def change_child(module):
    module.conv = nn.Conv2d(3, 8, 5, padding=2)


def hook(module):
    module.conv.register_forward_hook(lambda each, args, output: output + 1)


def patch_forward(module):
    module.forward = MethodType(lambda self, x: 2 * self.conv(x), module)


@pytest.mark.parametrize(
    "change",
    [
        change_buffer,
        change_table,
        change_setting,
        change_function,
        change_class,
        change_padding,
        change_child,
        hook,
        patch_forward,
    ],
)
def test_another_module_is_exported(exports, change):
    function = {change_buffer: choose, change_table: scale, change_setting: leaky}.get(change, relu)
    fv.from_torch(seeded(function), input=SPEC)
    exports.clear()
    module = seeded(function)
    change(module)
    model = fv.from_torch(module, input=SPEC)
    assert exports
    check_output(model, module)


def test_a_module_that_does_something_else_at_another_size_only_is_told_apart(exports, monkeypatch):
    draw(seeded(halves))
    exports.clear()
    # The same at the size of the training, by the same name.
    monkeypatch.setattr(f"{__name__}.halves", lambda net, x: x if x.shape[-1] > 30 else x * 0.25)
    _, picture = draw(seeded(halves))
    assert exports
    np.testing.assert_array_equal(picture.pixels, render_anew(seeded(halves)).pixels)


@pytest.mark.parametrize("function", [centered, random])
def test_what_the_user_is_warned_of_is_said_each_time(exports, function):
    for _ in range(2):
        exports.clear()
        with pytest.warns(UserWarning, match="one image depends|random numbers"):
            fv.from_torch(seeded(function), input=SPEC)
        assert exports


def test_files_that_changed_are_not_trusted(exports, monkeypatch):
    monkeypatch.setattr(module_identity, "unchanged", lambda files: False)
    for _ in range(2):
        fv.from_torch(seeded(relu), input=SPEC)
        assert exports
        exports.clear()


def test_the_source_counts(exports, monkeypatch):
    """All files of the packages that a module's classes refer to, but of those that a version decides."""
    files = "\n".join(module_identity._sources(seeded(relu)))
    assert __file__ in files and "/torch/" not in files
    fv.from_torch(seeded(relu), input=SPEC)
    exports.clear()
    monkeypatch.setattr(module_identity, "_sources", lambda module: ["another time"])
    fv.from_torch(seeded(relu), input=SPEC)
    assert exports
