"""`--fixed NAME=FILE`: networks of several inputs on the command line."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.commands import refused, status

from featviz.cli.options.fixed_option import fixed_words, parse_fixed, read_fixed
from featviz.errors import FeatvizError
from featviz.pictures.command import network_words

META = np.random.default_rng(1).normal(size=5).astype(np.float32)
TORCH = """
import torch

class Two(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = torch.nn.Conv2d(3, 4, 3)
        self.dense = torch.nn.Linear(5, 4)

    def forward(self, image, meta):
        return torch.relu(self.conv(image) + self.dense(meta)[:, :, None, None])
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with arrays, and a module of its own that may be imported from it."""
    np.save(tmp_path / "meta.npy", META)
    np.savez(tmp_path / "several.npz", META=META)
    (tmp_path / "torn.npy").write_bytes(b"torn")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    sys.modules.pop("two", None)


NAMES = st.text(min_size=1).filter(lambda name: "\0" not in name)
FILES = st.from_regex(r"[a-z /]{0,5}[a-z' ]{1,8}\.npy", fullmatch=True)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(pairs=st.lists(st.tuples(NAMES, FILES), min_size=1, max_size=3))
def test_the_command_of_a_record_gives_the_same_inputs(pairs):
    words = [f"{name}={file}" for name, file in pairs]
    fixed = [parse_fixed(word) for word in words]
    assert fixed == [(name, Path(file)) for name, file in pairs]
    model, *options = network_words({"model": "net.onnx", "fixed": fixed_words(fixed)})
    assert model == "net.onnx" and options[::2] == ["--fixed"] * len(pairs)
    again = [parse_fixed(word) for word in options[1::2]]
    assert again == [(name, Path(Path(file).name)) for name, file in pairs]


@pytest.mark.parametrize("text", ["", "meta", "meta=", "=meta.npy"])
def test_what_is_no_assignment_is_refused(text):
    with pytest.raises(FeatvizError, match="--fixed is `.*`; expected NAME=FILE.npy"):
        parse_fixed(text)


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([("meta", "none.npy")], "--fixed: `none.npy` does not exist; expected a .npy file"),
        ([("meta", "torn.npy")], "--fixed: `torn.npy` cannot be read: "),
        ([("meta", "several.npz")], "--fixed: `several.npz` cannot be read: "),
        ([("meta", "meta.npy"), ("meta", "meta.npy")], "--fixed names `meta` twice"),
    ],
)
def test_files_that_cannot_be_taken_are_named(pairs, said, folder):
    with pytest.raises(FeatvizError) as error:
        read_fixed([(name, Path(file)) for name, file in pairs])
    assert said in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["layers", "patterns"],
            "--fixed goes with a network of a file or of your own; patterns takes its image",
        ),
        (["layers", "two:network"], "--fixed goes with a network of several inputs; `two:network` takes (weights, im"),
        (["layers", "two:model"], "--fixed goes with a network that is no Model yet; two:model returned a Model"),
        (
            ["layers", "two:module", "--input", "16"],
            "--fixed goes with a network of PyTorch, Keras or ONNX; two:",
        ),
    ],
)
def test_networks_of_one_input_are_refused(words, said, folder, capsys):
    (folder / "two.py").write_text(
        "import featviz as fv, numpy as np\nfrom flax import nnx\n"
        "def network(weights, images):\n    return images @ weights\n"
        "def model():\n"
        "    return fv.from_function(network, np.ones((3, 4), np.float32), input=fv.InputSpec(size=8))\n"
        "module = nnx.Conv(3, 4, (3, 3), rngs=nnx.Rngs(0))\n"
    )
    code, text = refused(capsys, *words, "--fixed", "meta=meta.npy")
    assert code == 2 and said in text


@pytest.mark.frameworks
def test_a_network_of_two_inputs_is_drawn_and_its_command_makes_the_picture_again(folder, capsys):
    pytest.importorskip("torch")
    (folder / "two.py").write_text(TORCH)
    words = ["--input", "16,nchw"]
    code, text = refused(capsys, "layers", "two:Two", *words)
    assert code == 1 and "`meta`" in text and "--fixed meta=FILE.npy" in text
    words += ["--fixed", "meta=meta.npy"]
    assert status("render", "two:Two", "conv:1", *words, "--size", "16", "--steps", "2", "-o", "a.png") == 0
    command = json.loads((folder / "a.json").read_text())["command"].split()
    assert "meta=meta.npy" in command
    assert status(*command[1:-1], "b.png") == 0
    assert (folder / "a.png").read_bytes() == (folder / "b.png").read_bytes()
    code, text = refused(capsys, "layers", "two:Two", "--input", "16,nchw", "--fixed", "metta=meta.npy")
    assert code == 1 and "did you mean `meta`" in text
