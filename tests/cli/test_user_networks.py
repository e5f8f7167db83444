"""The command line on networks of one's own: files, functions, directions, tokens."""

import json
import sys

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
from support.commands import refused

import featviz as fv
from featviz.cli.main import run
from featviz.cli.options.directions_option import read_directions
from featviz.cli.options.input_option import parse_input
from featviz.cli.targets import parse_target
from featviz.errors import FeatvizError
from featviz.model import FRAMEWORKS, RANGES
from featviz.zoo.weights.load import write_weights

OWN = """
import jax
import jax.numpy as jnp
import featviz as fv
from flax import nnx

def network(weights, images):
    x = jax.nn.relu(jnp.einsum("nhwc,cd->nhwd", images, weights["stem"]["kernel"]))
    return jnp.mean(x, axis=(1, 2)) @ weights["head"]

def module():
    return nnx.Sequential(nnx.Conv(3, 4, (3, 3), rngs=nnx.Rngs(0)), nnx.relu)

def nothing():
    return 5

def broken():
    raise RuntimeError("no\\nluck")

def of_one(path):
    return nothing()

def model():
    weights = {"stem": {"kernel": jnp.ones((3, 4))}, "head": jnp.ones((4, 2))}
    return fv.from_function(network, weights, input=fv.InputSpec(size=(16, 16)))

ready = model()
held = module()
five = 5
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a network of one's own, `own.py`, and its weights."""
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "empty.onnx").write_bytes(b"")
    (tmp_path / "faulty.py").write_text("def make(:\n")
    (tmp_path / "lacking.py").write_text("import of_nobody\n")
    (tmp_path / "notes.txt").write_text("none")
    normal = np.random.default_rng(0).normal
    tree = {"stem": {"kernel": np.float32(normal(size=(3, 4)))}, "head": np.float32(normal(size=(4, 2)))}
    write_weights(tmp_path / "own.safetensors", tree)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    # Other tests have a module of this name as well.
    sys.modules.pop("own", None)


class Tokens(nn.Module):
    """A transformer of one block, with a class token and two heads."""

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(8, (8, 8), strides=(8, 8), name="embed")(x).reshape(x.shape[0], -1, 8)
        x = jnp.concatenate([jnp.zeros_like(x[:, :1]), x], axis=1)
        q, k, v = (nn.Dense(8, name=name)(x).reshape(*x.shape[:2], 2, 4) for name in "qkv")
        x = nn.Dense(8, name="proj")(jax.nn.dot_product_attention(q, k, v).reshape(x.shape)) + x
        x = nn.Dense(8, name="fc2")(nn.gelu(nn.Dense(16, name="fc1")(x)))
        return nn.Dense(5, name="head")(x[:, 0])


@pytest.fixture(scope="module")
def tokens():
    variables = Tokens().init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    return fv.from_linen(Tokens(), variables, input=fv.InputSpec(size=(32, 32)))


def test_a_function_of_weights_and_images_with_its_weights_from_a_file(folder, capsys):
    words = ["own:network", "--weights", "own.safetensors", "--input", "16,symmetric"]
    run(["layers", *words])
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["layer", "dot", "dot/relu", "dot_1"]
    run(["render", *words[:1], "dot/relu:1,2", *words[1:], "--size", "16", "--steps", "4", "-o", "out", "--quiet"])
    found = json.loads((folder / "out" / "dot-relu-1.json").read_text())
    assert found["network"]["input"]["mean"] == [0.5]
    # The command that makes the picture again is one that the command line takes.
    words = found["command"].split()[1:]
    assert words[1:6] == ["own:network", "dot/relu:1", "--weights", "own.safetensors", "--input"]
    run([*words[:-1], "again.png", "--quiet"])
    assert (folder / "again.png").read_bytes()
    assert json.loads((folder / "again.json").read_text())["score"] == found["score"]


def test_a_function_that_returns_a_network_or_a_model(folder, capsys):
    run(["layers", "own:module", "--input", "16", "--all"])
    assert "layers/0" in capsys.readouterr().out
    run(["layers", "own:model"])
    assert "dot/relu" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["own:model", "own:ready", "own:held"])
def test_a_network_or_a_function_that_returns_one(folder, name, capsys):
    words = ["--input", "16,unit"] if name == "own:held" else []
    run(["layers", name, *words])
    assert "relu" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["layers", "own:module"], 2, "expected --input, such as 224,imagenet,nchw"),
        (["layers", "own:network"], 2, "expected --weights FILE and --input"),
        (["layers", "own:nothing"], 2, "returned a value of type int; expected a featviz Model"),
        (
            ["layers", "own:broken"],
            1,
            "featviz: `own:broken` failed: RuntimeError: no luck (--debug prints the traceback)\n",
        ),
        (["render", "own:broken", "a:0", "-o", "x"], 1, "`own:broken` failed: RuntimeError: no luck"),
        (["layers", "faulty:make"], 1, "`faulty` failed: SyntaxError: "),
        (["layers", "lacking:make"], 2, "`lacking:make` cannot be imported: No module named 'of_nobody'"),
        (["layers", "own:modul"], 2, "`own` has no function `modul`; did you mean `module`?"),
        (["layers", "own:held"], 2, "expected --input, such as 224,imagenet,nchw"),
        (["layers", "own:five"], 2, "is a value of type int; expected a network, or a function that returns one"),
        (["layers", "own:of_one"], 2, "`own:of_one` takes path; expected a function without arguments, or of"),
        (
            ["render", "json:dumps", "a:0", "-o", "x"],
            2,
            "`json:dumps` takes obj; expected a function without",
        ),
        (["layers", ":make"], 2, "MODEL is `:make`; expected package.module:function"),
        (
            ["layers", "net.pt"],
            2,
            "`net.pt`, a file of weights; expected its network, with --weights net.pt",
        ),
        (["render", "own.safetensors", "a:0", "-o", "x"], 2, "`own.safetensors`, a file of weights; expected its"),
        (["layers", "own.py"], 2, "a Python file; expected its function that returns the network, as own:make"),
        (["layers", "own"], 2, "a Python file; expected its function that returns the network, as own:make"),
        (["layers", "notes.txt"], 2, "MODEL is `notes.txt`, a file of another kind; expected a network of `featviz"),
        (["layers", "."], 2, "MODEL is `.`, a folder; expected a network of `featviz models`, a file (.keras, .onnx)"),
        (
            ["layers", "qqq"],
            2,
            "there is no network `qqq`; expected a network of `featviz models`, a file",
        ),
        (["layers", "googlnet"], 2, "there is no network `googlnet` in the zoo; did you mean `googlenet`?"),
        (["render", "patterns", "mixed4a", "-o", "x"], 2, "expected LAYER:UNITS, such as `mixed4a:0-15`"),
        (["render", "patterns", "mixed4", "-o", "x"], 2, "expected LAYER:UNITS, such as `mixed4a:0-15`"),
        (
            ["layers", "own:network", "--weights", "own.safetensors", "--input", "16,symetric"],
            2,
            "did you mean `symmetric`",
        ),
        (["layers", "own:network", "--weights", "own.safetensors", "--input", "nchw"], 2, "expected a size"),
        (["layers", "own:model", "--input", "16"], 2, "own:model returned a Model"),
        (["layers", "patterns", "--input", "16"], 2, "patterns has its own"),
        (["layers", "own:network", "--weights", "own.py", "--input", "16"], 2, "`own.py`"),
        (["layers", "none.onnx", "--weights", "own.safetensors"], 2, "`none.onnx`, a file that does not exist"),
        (["layers", "empty.onnx", "--weights", "own.safetensors"], 2, "empty.onnx holds its own"),
        (["render", "patterns", "conv2:0", "-o", "x", "--directions", "none.npy"], 2, "`none.npy` cannot be read"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(folder, capsys, words, status, says):
    code, text = refused(capsys, *words)
    assert code == status and says in text


def test_words_of_the_input_give_its_specification():
    assert parse_input("224x320,caffe,nchw") == fv.InputSpec(
        size=(224, 320), scale=255.0, mean=(104.0, 117.0, 123.0), bgr=True, channels_first=True
    )
    assert parse_input("32,channels=7,rgb=3/2/1").rgb == (3, 2, 1)
    spec = parse_input("32,channels=7,mean=0,std=.5,multiple=8,scale=2")
    assert (spec.channels, spec.std, spec.multiple, spec.scale) == (7, (0.5,), 8, 2.0)
    assert parse_input("bgr", base=fv.InputSpec(size=(8, 8), scale=255.0)) == fv.InputSpec(
        size=(8, 8), scale=255.0, bgr=True
    )
    for wrong in ("mean=a", "std=0", "scale=-1", "channels=1.5", "channels=0", "std=nan", "rgb=1", "rgb=a", "0"):
        with pytest.raises(FeatvizError, match="--input"):
            parse_input(f"32,{wrong}" if "=" in wrong else wrong)
    encoded = {word: parse_input(f"8,{word}").encode(jnp.ones((1, 8, 8, 3)))[0, 0, 0] for word in RANGES}
    np.testing.assert_allclose(encoded["symmetric"], [1, 1, 1])
    np.testing.assert_allclose(encoded["caffe"], [151, 138, 132])
    np.testing.assert_allclose(encoded["imagenet"], [2.2489, 2.4286, 2.64], rtol=1e-4)


def test_directions_are_units_like_any_others(folder, capsys):
    rows = np.random.default_rng(0).normal(size=(5, 32)).astype(np.float32)
    np.save("probes.npy", rows)
    safetensors.numpy.save_file({"decoder": rows, "encoder": np.ascontiguousarray(rows.T)}, "sae.safetensors")
    for text in ("probes.npy", "sae.safetensors:decoder", "sae.safetensors:encoder"):
        np.testing.assert_array_equal(read_directions(text, 32), rows)
    words = ["--size", "32", "--steps", "4", "-o", "out", "--quiet"]
    run(["render", "patterns", "conv2:0-2,-4,3@1x1", "--directions", "sae.safetensors:decoder", *words])
    names = ["conv2-direction-0", "conv2-direction-1", "conv2-direction-2", "conv2-direction-3@1x1"]
    assert {path.stem for path in (folder / "out").glob("*direction*.png")} == {*names, "conv2-direction-4-negative"}
    ours = fv.load_picture(folder / "out" / "conv2-direction-1.png")
    model = fv.load("patterns")
    other = fv.render(model, fv.direction("conv2", rows[1], index=1), size=32, steps=4)
    assert ours.score == pytest.approx(other.score, rel=1e-6)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sae.safetensors", "has several tensors; expected one of `a`, `b`"),
        ("sae.safetensors:c", "has no tensor `c`"),
        ("sae.safetensors:b", r"has shape \(3, 7\); expected \(count, 32\)"),
        ("zero.npy", "row 1 of `zero.npy` is zero"),
        ("objects.npy", "cannot be read"),
        ("words.npy", "holds no array of numbers"),
    ],
)
def test_wrong_directions_are_told(folder, text, says):
    tensors = {"a": np.ones((2, 32), np.float32), "b": np.ones((3, 7), np.float32)}
    safetensors.numpy.save_file(tensors, "sae.safetensors")
    np.save("zero.npy", np.stack([np.ones(32), np.zeros(32)]))
    np.save("objects.npy", np.array([{"a": 1}], object), allow_pickle=True)
    np.save("words.npy", np.array(["a"]))
    with pytest.raises(FeatvizError, match=says):
        read_directions(text, 32)


SIDES = {"square": (32, 32), "rows": (5, 32), "columns": (32, 5), "one": (32,)}


@pytest.mark.parametrize(
    "beside", [(), ("b_enc", "b_dec", "threshold"), ("W_dec",)], ids=["alone", "vectors", "matrix"]
)
@pytest.mark.parametrize("kind", SIDES)
@pytest.mark.parametrize("file", ["a.npy", "a.safetensors:W_enc"])
def test_what_is_unclear_or_unused_of_directions_is_said(folder, capsys, kind, file, beside):
    values = np.random.default_rng(0).normal(size=SIDES[kind]).astype(np.float32)
    np.save("a.npy", values)
    others = {name: np.ones((32, 32) if name == "W_dec" else 32, np.float32) for name in beside}
    safetensors.numpy.save_file({"W_enc": values, **others}, "a.safetensors")
    read_directions(file, 32)
    said = capsys.readouterr().err.splitlines()
    assert any("is square, 32x32: its rows are taken" in line for line in said) == (kind == "square")
    unused = file != "a.npy" and "b_enc" in beside
    assert any("also holds `b_dec`, `b_enc`, `threshold`, which are not applied" in line for line in said) == unused
    assert len(said) == (kind == "square") + unused


def test_targets_that_suit_transformers(tokens):
    names = [layer.name for layer in tokens.layers]
    assert "heads" in names and "fc1/gelu" in names
    image = jnp.asarray(np.random.default_rng(0).uniform(size=(1, 32, 32, 3)), jnp.float32)
    values = tokens.apply(tokens.weights, image)
    mlp, heads = values["fc1/gelu"][0], values["heads"][0]
    rows = np.random.default_rng(1).normal(size=(3, 8)).astype(np.float32)
    expected = {
        "fc1/gelu:3@class": mlp[0, 3],
        "fc1/gelu:3@2": mlp[2, 3],
        "fc1/gelu:3@patches": jnp.mean(mlp[1:, 3]),
        "fc1/gelu:3": jnp.mean(mlp[:, 3]),
        "heads:head1of2": jnp.mean(heads[:, 4:] ** 2),
        "logit:2": values["head"][0, 2],
    }
    for text, value in expected.items():
        (objective,) = parse_target(text, tokens)
        np.testing.assert_allclose(objective(values)[0], value, rtol=1e-5, err_msg=text)
    stream = values["fc2"][0] @ rows[2]
    for text, value in {
        "fc2:2": jnp.mean(stream),
        "fc2:2@class": stream[0],
        "fc2:2@patches": jnp.mean(stream[1:]),
    }.items():
        (objective,) = parse_target(text, tokens, directions=rows)
        np.testing.assert_allclose(objective(values)[0], value, rtol=1e-4, err_msg=text)
    with pytest.raises(FeatvizError, match="3 directions, 0 to 2"):
        parse_target("fc2:3", tokens, directions=rows)
    with pytest.raises(FeatvizError, match="index` is 2 of 2 heads"):
        parse_target("heads:head2of2", tokens)
    pictures = fv.render(tokens, [fv.head("heads", 1, heads=2), fv.channel("fc1/gelu", 3)], size=32, steps=4)
    assert all(np.isfinite(picture.score) for picture in pictures)


def test_a_network_without_its_weights_is_refused_with_the_frameworks_that_hold_them(folder, capsys):
    (folder / "bare.py").write_text("import flax.linen as nn\n\n\ndef make():\n    return nn.Dense(3)\n")
    code, text = refused(capsys, "layers", "bare:make", "--input", "16")
    titles = [framework.title for framework in FRAMEWORKS.values() if framework.holds_weights]
    assert code == 2 and all(title in text for title in titles) and "linen" not in text


def test_what_is_no_layer_is_listed_with_its_reason(folder, capsys):
    (folder / "tables.py").write_text(
        "import featviz as fv, numpy as np\n"
        "def network(weights, images):\n"
        "    return {'table': weights @ weights.T, 'mixed': images @ weights}\n"
        "def make():\n"
        "    return fv.from_function(network, np.ones((3, 4), np.float32), input=fv.InputSpec(size=8))\n"
    )
    run(["layers", "tables:make", "--all"])
    captured = capsys.readouterr()
    assert captured.out.splitlines()[1].startswith("mixed ")
    assert captured.err.splitlines()[-2:] == ["no layers (1):", "table  does not depend on the image"]
    run(["layers", "tables:make"])
    assert "table" not in capsys.readouterr().err
