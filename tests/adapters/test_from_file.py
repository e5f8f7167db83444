"""ONNX files as Models: onnxruntime's values, Netron's names, one-line errors."""

import warnings
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs ONNX: make test-frameworks")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime: make test-frameworks")
torch = pytest.importorskip("torch", reason="exports PyTorch's networks: make test-frameworks")
pytest.importorskip("onnxscript", reason="torch.onnx.export needs it: make test-frameworks")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from support.torch_networks import NETWORKS, Residual, make  # noqa: E402

import featviz as fv  # noqa: E402
from featviz.adapters.onnx.from_file import from_onnx  # noqa: E402
from featviz.adapters.onnx.model_file import STATIC, output_names  # noqa: E402
from featviz.adapters.onnx.operators import OPERATORS  # noqa: E402
from featviz.adapters.onnx.operators.call import Call  # noqa: E402
from featviz.adapters.onnx.protos import value_of  # noqa: E402
from featviz.errors import FeatvizError  # noqa: E402
from featviz.model import IMAGE, OUTPUT  # noqa: E402

pytestmark = pytest.mark.frameworks

EXPORTERS = {"scripted": False, "exported": True}
SIDE = 32


def export(network, path, *, dynamo, free):
    """The file of a network, with its batch free or fixed to one."""
    x = torch.rand(2 if free else 1, 3, SIDE, SIDE)
    shapes = {"dynamic_shapes": ({0: torch.export.Dim.DYNAMIC},)} if dynamo and free else {}
    shapes = {"dynamic_axes": {"image": {0: "n"}}} if free and not dynamo else shapes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(), (x,), str(path), dynamo=dynamo, input_names=["image"], verbose=False, **shapes
        )
    return path


@pytest.fixture(scope="module", params=[(kind, exporter) for kind in NETWORKS for exporter in EXPORTERS], ids="-".join)
def exported(request, tmp_path_factory):
    """A network of PyTorch's and its file, whose batch is free where the network's kind is even in the list."""
    kind, exporter = request.param
    network = make(NETWORKS[kind])
    free = list(NETWORKS).index(kind) % 2 == 0
    path = tmp_path_factory.mktemp(kind) / "network.onnx"
    return network, export(network, path, dynamo=EXPORTERS[exporter], free=free)


@pytest.fixture(scope="module")
def residual(tmp_path_factory):
    return export(make(Residual), tmp_path_factory.mktemp("residual") / "small.onnx", dynamo=False, free=True)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).uniform(size=(2, SIDE, SIDE, 3)).astype(np.float32)


def by_onnxruntime(path, images):
    """What onnxruntime computes of every node, by the node's name, and of the output."""
    proto = onnx.load(path)
    own = [each.name for each in proto.graph.output]
    names, counts = {}, Counter()
    for output, name in output_names(proto.graph).items():
        names[output] = f"{name}[{counts[name]}]" if counts[name] else name
        counts[name] += 1
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in own)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    turned = images.transpose(0, 3, 1, 2)
    batches = [turned[at : at + 1] for at in range(len(turned))] if given.shape[0] == 1 else [turned]
    runs = [session.run(None, {given.name: batch}) for batch in batches]
    found = {
        names[each.name]: np.concatenate([run[at] for run in runs])
        for at, each in enumerate(session.get_outputs())
        if np.ndim(runs[0][at]) > 1
    }
    return found, found[names[own[0]]]


def arrangements(values, count):
    """A node's values with the images first, wherever they lie, and any other axis last; without axes of 1."""
    for axis, size in enumerate(values.shape):
        if size % count == 0:
            split = values.reshape(*values.shape[:axis], count, size // count, *values.shape[axis + 1 :])
            moved = np.moveaxis(split, axis, 0).squeeze()
            yield from (np.moveaxis(moved, units, -1) for units in range(1, moved.ndim))


def differ(ours, theirs):
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


def flops(function, *args):
    return jax.jit(function).lower(*args).compile().cost_analysis()["flops"]


def save(nodes, path, *, shape=(1, 3, 8, 8), output=4, weights=None, opset=20, values=(), **options):
    """A file of some nodes over `x`, whose output is `y`; not checked."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", options.pop("kind", TensorProto.FLOAT), shape), *values],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * output)],
        [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()],
    )
    domains = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=domains, ir_version=10), path)
    return path


def test_every_node_has_onnxruntimes_values(exported, images):
    network, path = exported
    model = from_onnx(path)
    expected, output = by_onnxruntime(path, images)
    found = jax.jit(model.apply)(model.weights, images)
    assert differ(found[OUTPUT], output) < 1e-4
    with torch.no_grad():
        theirs = network.eval()(torch.tensor(images).permute(0, 3, 1, 2)).numpy()
    assert differ(found[OUTPUT], theirs) < 1e-4
    compared = [layer.name for layer in model.layers if layer.name in expected]
    assert len(compared) > 10
    for name in compared:
        ours, values = np.asarray(found[name]), expected[name]
        if values.ndim == 4 and "onv" in name:
            assert differ(ours, np.moveaxis(values, 1, -1)) < 1e-4, name
        else:
            ours = ours.squeeze()
            arranged = [each for each in arrangements(values, len(images)) if each.shape == ours.shape]
            assert min(differ(ours, each) for each in arranged) < 1e-4, name


def test_the_images_gradient_is_pytorchs(exported, images):
    network, path = exported
    model = from_onnx(path)

    @jax.jit
    @jax.grad
    def gradient(x, weights):
        return jnp.sum(jnp.square(model.apply(weights, x, layers=[OUTPUT])[OUTPUT]))

    ours = gradient(images, model.weights)
    x = torch.tensor(images, requires_grad=True)
    torch.sum(torch.square(network.eval()(x.permute(0, 3, 1, 2)))).backward()
    assert differ(ours, x.grad.numpy()) < 1e-4


def test_layers_have_netrons_names_of_nodes(residual):
    model = from_onnx(residual)
    assert model.name == "small"
    assert (model.input.size, model.input.channels, model.input.channels_first) == ((32, 32), 3, True)
    names = [layer.name for layer in model.layers]
    assert names[:4] == ["conv1/Conv", "Relu", "maxpool/MaxPool", "layer1/layer1.0/conv1/Conv"]
    assert model.layer("conv1/Conv").shape == (16, 16, 8)
    assert model.layer("Relu").rectified
    assert model.layer("Relu").parents == ("conv1/Conv",)
    assert model.relus == 9


def test_weights_are_an_argument_and_shapes_are_not(residual, images):
    model = from_onnx(residual)
    assert {leaf.dtype for leaf in jax.tree.leaves(model.weights)} == {jnp.dtype("float32")}
    doubled = {name: 2 * array if name == "fc.weight" else array for name, array in model.weights.items()}
    bias = model.weights["fc.bias"][None]
    first, second = (jax.jit(model.apply)(weights, images)[OUTPUT] for weights in (model.weights, doubled))
    np.testing.assert_allclose(second - bias, 2 * (first - bias), rtol=1e-4, atol=1e-6)


def test_a_layer_costs_only_the_steps_it_needs_and_one_program_serves_all_units(residual, images):
    model = from_onnx(residual)

    def cost(name):
        return flops(lambda weights, x: model.apply(weights, x, layers=[name])[name], model.weights, images)

    assert cost("conv1/Conv") < 0.4 * cost(OUTPUT)
    by_hand = flops(
        lambda w, x: jax.lax.conv_general_dilated(jnp.moveaxis(x, -1, 1), w, (2, 2), [(2, 2)] * 2),
        model.weights[_kernel(residual, "/conv1/Conv")],
        images,
    )
    assert by_hand <= cost("conv1/Conv") <= 1.1 * by_hand
    traces = []

    @jax.jit
    def score(weights, x, unit):
        traces.append(unit)
        return jnp.mean(jnp.take(model.apply(weights, x, layers=["conv1/Conv"])["conv1/Conv"], unit, axis=-1))

    scores = {score(model.weights, images, unit).item() for unit in range(8)}
    assert (len(traces), len(scores)) == (1, 8)


def _kernel(path, name):
    return next(node.input[1] for node in onnx.load(path).graph.node if node.name == name)


def test_pictures_of_units(residual):
    pictures = fv.render(from_onnx(residual), fv.channel("conv1/Conv", [0, 1]), size=16, steps=8)
    assert all(np.isfinite(picture.score) and picture.pixels.std() > 0.01 for picture in pictures)


def test_other_sizes_where_the_network_allows(residual, tmp_path, images):
    model = from_onnx(residual)
    larger = np.tile(images, (1, 2, 2, 1))
    assert model.apply(model.weights, larger, layers=["conv1/Conv"])["conv1/Conv"].shape == (2, 32, 32, 8)
    weights = {"shape": np.array([0, 192]), "w": np.ones((192, 2), np.float32)}
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], name="relu"),
        helper.make_node("Reshape", ["a", "shape"], ["b"], name="flat"),
        helper.make_node("MatMul", ["b", "w"], ["y"], name="head"),
    ]
    model = from_onnx(save(nodes, tmp_path / "dense.onnx", weights=weights))
    with pytest.raises(FeatvizError, match=r"`size` is 32 x 32.*`flat` \(Reshape\).*expected 8 x 8"):
        model.apply(model.weights, images, layers=["head"])
    assert model.apply(model.weights, images, layers=["relu"])["relu"].shape == (2, 32, 32, 3)


CONV = {"w": np.random.default_rng(0).normal(size=(5, 3, 3, 3)).astype(np.float32)}


@pytest.mark.parametrize(
    ("shape", "given", "expected"),
    [
        ((1, 3, 8, 9), None, fv.InputSpec(size=(8, 9), channels_first=True)),
        (("n", 3, "h", "w"), fv.InputSpec(size=(6, 6)), fv.InputSpec(size=(6, 6), channels_first=True)),
        ((None, 3, None, 8), fv.InputSpec(size=(6, 8), scale=255.0),
         fv.InputSpec(size=(6, 8), scale=255.0, channels_first=True)),
    ],
)  # fmt: skip
def test_the_input_is_what_the_file_declares_and_the_user_says(tmp_path, shape, given, expected):
    node = helper.make_node("Conv", ["x", "w"], ["y"], name="conv")
    model = from_onnx(save([node], tmp_path / "m.onnx", shape=shape, weights=CONV), input=given)
    assert model.input == expected


def test_an_output_need_not_say_its_shape():
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"], name="relu")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", 3, 8, 8))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    model = fv.from_onnx(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10))
    assert model.layer("relu").shape == (8, 8, 3)


def test_an_output_of_which_nothing_tells_the_shape():
    """Shape inference knows no operators of other domains."""
    x, y = helper.make_tensor_value_info("x", 1, ["n", 3, 8, 8]), helper.make_tensor_value_info("y", 1, None)
    nodes = [helper.make_node("QuickGelu", ["x"], ["y"], name="y", domain="com.microsoft")]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    proto = helper.make_model(helper.make_graph(nodes, "g", [x], [y]), opset_imports=opsets, ir_version=8)
    assert [layer.shape for layer in from_onnx(proto).layers] == [(8, 8, 3)]
    assert not proto.graph.output[0].type.tensor_type.HasField("shape")


def test_channels_last_and_bytes(tmp_path):
    nodes = [
        helper.make_node("Cast", ["x"], ["a"], name="cast", to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["a"], ["b"], name="turn", perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["b", "w"], ["y"], name="conv"),
    ]
    path = save(nodes, tmp_path / "m.onnx", shape=("n", 8, 8, 3), weights=CONV, kind=TensorProto.UINT8)
    model = from_onnx(path)
    assert model.input == fv.InputSpec(size=(8, 8), scale=255.0)
    image = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3)).astype(np.uint8)
    expected = onnxruntime.InferenceSession(path).run(None, {"x": image})[0]
    ours = model.apply(model.weights, jnp.asarray(image / np.float32(255)))["conv"]
    assert differ(ours, np.moveaxis(expected, 1, -1)) < 1e-4


@pytest.mark.parametrize(
    ("options", "given", "message"),
    [
        ({"shape": (1, 3, "h", "w")}, None, r"size left open; expected `input`"),
        ({"shape": (1, 3, 8, 8)}, fv.InputSpec(size=(9, 9)), "`input` is of 9 x 9 px; expected 8 x 8"),
        ({"shape": (1, 7, 8, 8)}, None, "expected 1 to 4 channels"),
        ({"shape": (1, 7, 8, 8)}, fv.InputSpec(size=(8, 8)), "expected 3 channels, as `input` has"),
        ({"shape": (1, 192)}, None, "expected images"),
        ({"values": [helper.make_tensor_value_info("z", TensorProto.FLOAT, (1,))]}, None, "takes 2 inputs.*`z`"),
    ],
)
def test_inputs_that_are_not_one_image(tmp_path, options, given, message):
    path = save([helper.make_node("Relu", ["x"], ["y"], name="relu")], tmp_path / "m.onnx", **options)
    with pytest.raises(FeatvizError, match=message) as error:
        from_onnx(path, input=given)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (helper.make_node("NonZero", ["x"], ["y"], name="/a/find"), "`a/find` is a `NonZero` of opset 20"),
        (helper.make_node("Attention", ["x"], ["y"], name="f", domain="com.microsoft"), r"`com.microsoft.Attention`"),
        (helper.make_node("Reshape", ["x", "s"], ["y"], name="r"), r"`r` \(Reshape\): cannot reshape"),
        (helper.make_node("Sluice", ["x"], ["y"], name="s"), "is not valid ONNX: .*Sluice"),
        (helper.make_node("Relu", ["q"], ["y"], name="s"), "is not valid ONNX"),
    ],
)
def test_the_error_names_the_node_that_cannot_run(tmp_path, node, message):
    path = save([node], tmp_path / "m.onnx", weights={"s": np.array([7, 7])})
    with pytest.raises(FeatvizError, match=message) as error:
        from_onnx(path)
    assert "\n" not in str(error.value)


def test_damaged_and_missing_files(residual, tmp_path):
    whole = residual.read_bytes()
    for number, damaged in enumerate((b"", b"not onnx", whole[: len(whole) // 2])):
        path = tmp_path / f"{number}.onnx"
        path.write_bytes(damaged)
        with pytest.raises(FeatvizError) as error:
            from_onnx(path)
        assert "\n" not in str(error.value) and f"`{number}.onnx`" in str(error.value)
    with pytest.raises(FeatvizError, match="`none.onnx` cannot be read as ONNX: it does not exist"):
        from_onnx(tmp_path / "none.onnx")
    with pytest.raises(FeatvizError, match="`model` is a int"):
        from_onnx(3)


def test_external_data_is_read_only_from_the_folder_of_the_file(residual, tmp_path, images):
    proto, path = onnx.load(residual), tmp_path / "apart.onnx"
    onnx.save(proto, path, save_as_external_data=True, location="apart.bin", size_threshold=0)
    assert (tmp_path / "apart.bin").exists()
    one, other = from_onnx(onnx.load(residual)), from_onnx(path)
    ours, theirs = (jax.jit(each.apply)(each.weights, images)[OUTPUT] for each in (one, other))
    np.testing.assert_array_equal(ours, theirs)
    apart = onnx.load(path, load_external_data=False)
    with pytest.raises(FeatvizError, match="keeps its weights in another file"):
        from_onnx(apart)
    for place in ("../apart.bin", str(tmp_path / "apart.bin"), "missing.bin"):
        for tensor in apart.graph.initializer:
            tensor.external_data[0].value = place
        inside = tmp_path / "inside"
        inside.mkdir(exist_ok=True)
        (inside / "m.onnx").write_bytes(apart.SerializeToString())
        with pytest.raises(FeatvizError, match=r"`m.onnx` cannot be read as ONNX") as error:
            from_onnx(inside / "m.onnx")
        assert "\n" not in str(error.value)


def test_missing_operators_are_replaced_by_the_standards_definition(tmp_path):
    weights = {name: np.arange(1.0, 5.0, dtype=np.float32) for name in ("scale", "bias")}
    nodes = [
        helper.make_node("GroupNormalization", ["x", "scale", "bias"], ["a"], name="norm", num_groups=2),
        helper.make_node("Celu", ["a"], ["y"], name="celu"),
    ]
    path = save(nodes, tmp_path / "m.onnx", shape=("n", 4, 8, 8), weights=weights, opset=21)
    model = from_onnx(path)
    assert [layer.name for layer in model.layers if "/" not in layer.name] == ["norm", "celu"]
    x = np.random.default_rng(0).normal(size=(2, 4, 8, 8)).astype(np.float32)
    expected = onnxruntime.InferenceSession(path).run(None, {"x": x})[0]
    ours = model.apply(model.weights, np.moveaxis(x, 1, -1), layers=["celu"])["celu"]
    assert differ(ours, np.moveaxis(expected, 1, -1)) < 1e-4


def test_a_definition_whose_last_input_is_left_out_by_the_function_around_it(tmp_path):
    """As exporters write attention that may have a mask and has none."""
    attention = helper.make_node("Attention", ["a", "a", "a", "mask"], ["o"], q_num_heads=2, kv_num_heads=2)
    function = helper.make_function("own", "Heads", ["a", "mask"], ["o"], [attention], [helper.make_opsetid("", 23)])
    nodes = [
        helper.make_node("Reshape", ["x", "to"], ["t"], name="tokens"),
        helper.make_node("Heads", ["t"], ["y"], name="heads", domain="own"),
    ]
    path = save(
        nodes, tmp_path / "m.onnx", shape=("n", 4, 8, 8), output=3, weights={"to": np.array([0, -1, 4])}, opset=23
    )
    proto = onnx.load(path)
    proto.functions.append(function)
    proto.opset_import.append(helper.make_opsetid("own", 1))
    onnx.save(proto, path)
    model = from_onnx(path, input=fv.InputSpec(size=8, channels=4))
    x = np.random.default_rng(0).normal(size=(2, 4, 8, 8)).astype(np.float32)
    expected = onnxruntime.InferenceSession(path).run(None, {"x": x})[0]
    ours = model.apply(model.weights, np.moveaxis(x, 1, -1), layers=[OUTPUT])[OUTPUT]
    assert differ(ours, expected if ours.shape == expected.shape else expected.swapaxes(1, 2)) < 1e-4


@pytest.mark.parametrize("operator", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_recurrent_layers_of_rows(tmp_path, operator, direction):
    """With the activations that exporters write out."""
    gates = {"RNN": ["Relu"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}[operator]
    directions, count = 1 + (direction == "bidirectional"), {"RNN": 1, "GRU": 3, "LSTM": 4}[operator]
    generator = np.random.default_rng(0)
    shapes = {"w": (directions, count * 5, 24), "r": (directions, count * 5, 5), "b": (directions, count * 10)}
    weights = {name: generator.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}
    weights["shape"] = np.array([8, -1, 24])
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[2, 0, 1, 3]),
        helper.make_node("Reshape", ["t", "shape"], ["s"]),
        helper.make_node(
            operator, ["s", "w", "r", "b"], ["h"], name="rows", hidden_size=5, direction=direction,
            activations=gates * directions,
        ),
        helper.make_node("Transpose", ["h"], ["y"], name="y", perm=[2, 0, 1, 3]),
    ]  # fmt: skip
    path = save(nodes, tmp_path / "m.onnx", shape=("n", 3, 8, 8), weights=weights)
    model = from_onnx(path)
    x = generator.normal(size=(2, 3, 8, 8)).astype(np.float32)
    (expected,) = onnxruntime.InferenceSession(path).run(None, {"x": x})
    given = np.moveaxis(x, 1, -1)
    assert differ(model.apply(model.weights, given, layers=["y"])["y"], expected) < 1e-4
    assert np.abs(jax.grad(lambda x: model.apply(model.weights, x)[OUTPUT].sum())(given)).max() > 0


def test_definitions_have_the_attributes_that_a_node_leaves_out(tmp_path):
    """Without `axes` this normalizes over images and positions, as runtimes do, and not over channels as well."""
    nodes = [helper.make_node("MeanVarianceNormalization", ["x"], ["y"], name="norm")]
    path = save(nodes, tmp_path / "m.onnx", shape=("n", 3, 8, 8))
    with pytest.warns(UserWarning, match="depends on the other images"):
        model = from_onnx(path)
    x = np.random.default_rng(0).normal(size=(1, 3, 8, 8)).astype(np.float32)
    expected = onnxruntime.InferenceSession(path).run(None, {"x": x})[0]
    ours = model.apply(model.weights, np.moveaxis(x, 1, -1))[OUTPUT]
    assert differ(ours, np.moveaxis(expected, 1, -1)) < 1e-4


def test_nodes_out_of_order_are_put_in_order(tmp_path):
    """As tools leave them that insert casts, and as runtimes take them."""
    nodes = [
        helper.make_node("Neg", ["b"], ["y"], name="last"),
        helper.make_node("Exp", ["a"], ["b"], name="second"),
        helper.make_node("Sin", ["x"], ["a"], name="first"),
    ]
    model = from_onnx(save(nodes, tmp_path / "m.onnx"))
    image = np.random.default_rng(0).uniform(size=(2, 8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(model.apply({}, image)[OUTPUT], -np.exp(np.sin(image)), rtol=1e-6)


def test_a_constant_condition_selects_a_branch(tmp_path):
    def branch(operator):
        out = helper.make_tensor_value_info("b", TensorProto.FLOAT, [None] * 4)
        return helper.make_graph([helper.make_node(operator, ["x"], ["b"])], operator, [], [out])

    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Size", ["s"], ["n"]),
        helper.make_node("Equal", ["n", "four"], ["c"]),
        helper.make_node("If", ["c"], ["y"], name="if", then_branch=branch("Neg"), else_branch=branch("Exp")),
    ]
    model = from_onnx(save(nodes, tmp_path / "m.onnx", weights={"four": np.array(4)}))
    image = np.random.default_rng(0).uniform(size=(2, 8, 8, 3)).astype(np.float32)
    np.testing.assert_array_equal(model.apply({}, image)[OUTPUT], -image)


def test_floats_that_shapes_are_computed_from_are_constants(tmp_path):
    weights = {"w": CONV["w"], "by": np.array([1.0, 1.0, 2.0, 3.0], np.float32)}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv"),
        helper.make_node("Shape", ["c"], ["s"]),
        helper.make_node("Cast", ["s"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["f", "by"], ["g"]),
        helper.make_node("Cast", ["g"], ["h"], to=TensorProto.INT64),
        helper.make_node("Resize", ["c", "", "", "h"], ["y"], name="up", mode="linear"),
    ]
    path = save(nodes, tmp_path / "m.onnx", shape=("n", 3, 8, 8), weights=weights)
    model = from_onnx(path)
    assert list(model.weights) == ["w"]
    x = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)
    expected = onnxruntime.InferenceSession(path).run(None, {"x": x})[0]
    ours = model.apply(model.weights, np.moveaxis(x, 1, -1), layers=["up"])["up"]
    assert ours.shape == (2, 12, 18, 5)
    assert differ(ours, np.moveaxis(expected, 1, -1)) < 1e-4


# ONNX's own cases: not as in inference; empty; not supported; where PyTorch and onnxruntime, which agree with each
# other, do not agree with ONNX's reference (`align_corners` of a size that was rounded).
OTHERS = ("training", "tf_crop", "empty_set", "sequence", "_opt", "argmax_2d_precomputed_strides", "col2im_5d",
          "downsample_scales_linear_align", "downsample_scales_cubic_align")  # fmt: skip


@pytest.fixture(scope="module")
def cases():
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [case for case in collect_testcases(None) if case.model is not None and len(case.model.graph.node) == 1]
    chosen = {}
    for case in found:
        if not any(word in case.name for word in OTHERS):
            chosen.setdefault(case.model.graph.node[0].op_type, []).append(case)
    return chosen


# Those of onnxruntime's own domain are in test_microsoft.py.
@pytest.mark.parametrize("operator", sorted(name for name in OPERATORS if "." not in name))
def test_operators_by_onnxs_own_cases(operator, cases):
    assert cases[operator]
    for case in cases[operator]:
        (node,), (opset, *_) = case.model.graph.node, [each.version for each in case.model.opset_import]
        names = [each.name for each in case.model.graph.input]
        for given, expected in case.data_sets:
            by_name = dict(zip(names, map(_plain, given), strict=True))
            inputs = [by_name.get(name) for name in node.input]
            if any(each is not None and each.dtype.kind in "OUS" for each in inputs):
                continue
            pointwise = operator in ("Add", "Sub", "Mul", "Div", "Mod", "Equal", "Max", "Min", "Sum", "Where")
            for at, value in enumerate(inputs):
                whole = value is not None and value.dtype.kind in "iu" and at > 0 and not pointwise
                if value is not None and not whole and at not in STATIC.get(operator, ()):
                    inputs[at] = _as_jax(value)
            attributes = {each.name: value_of(each) for each in node.attribute}
            with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
                found = OPERATORS[operator](Call(tuple(inputs), attributes, opset, len(node.output)))
            found = found if isinstance(found, tuple) else (found,)
            # Outputs without a name are not asked for.
            found = [each for each, name in zip(found, node.output, strict=True) if name]
            for ours, theirs in zip(found, expected, strict=True):
                theirs = _plain(theirs)
                assert ours.shape == theirs.shape, case.name
                if theirs.dtype.kind in "fiub" and theirs.dtype.itemsize > 2:
                    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5, err_msg=case.name)


def _plain(value):
    return numpy_helper.to_array(value) if isinstance(value, TensorProto) else np.asarray(value)


def _as_jax(value):
    # Of 64 bits only 32.
    return jnp.asarray(
        value.astype({"int64": np.int32, "uint64": np.uint32, "float64": np.float32}.get(value.dtype.name, value.dtype))
    )


def test_the_image_is_among_the_activations(residual, images):
    model = from_onnx(residual)
    np.testing.assert_array_equal(model.apply(model.weights, images, layers=[IMAGE])[IMAGE], images)
