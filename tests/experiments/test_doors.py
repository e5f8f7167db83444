"""The comparison of networks with their frameworks finds what differs, and its page says so."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import featviz as fv

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "experiments"))

from door_networks import NETWORKS
from door_networks.comparison import Case, Value, compare, relative_error
from door_networks.table import BAR, write_table
from doors import key

ROOT = Path(__file__).resolve().parents[2]
SIZE = (8, 8)
ROW = {"name": "net", "library": "timm", "door": "torch", "size": [8, 8]}
GOOD = {**ROW, "compared": 2, "layers": 3, "worst": 2e-6, "layer": "conv", "seconds": 1.0, "absent": {}, "said": []}


def draw(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.permutations([2, 3, 4]), st.integers(1, 3))
def test_an_array_fits_in_its_own_arrangement_alone(sizes, axis):
    theirs = draw(2, *sizes)
    ours = np.moveaxis(theirs, axis, -1)
    assert relative_error(ours, Value(theirs)) == relative_error(ours, Value(theirs, axis)) == 0
    others = [other for other in range(1, 4) if other != axis]
    # The sizes differ, so another axis gives another shape.
    assert all(relative_error(ours, Value(theirs, other)) == np.inf for other in others)


def test_windows_in_the_batch_and_tokens_before_it_are_the_images_own():
    windows = draw(2 * 3, 4, 5)
    assert relative_error(windows.reshape(2, 3, 4, 5), Value(windows, -1)) == 0
    tokens = draw(7, 2, 5)
    assert relative_error(tokens.swapaxes(0, 1), Value(tokens, -1)) == 0


def test_an_error_is_relative_to_the_largest_value_and_masks_must_agree():
    theirs = draw(2, 3)
    ours = theirs.copy()
    ours[0, 0] += np.abs(theirs).max() / 2
    assert relative_error(ours, Value(theirs)) == pytest.approx(0.5)
    masked = np.where(np.eye(2, 3, dtype=bool), -np.inf, theirs)
    assert relative_error(masked, Value(masked)) == 0
    assert relative_error(theirs, Value(masked)) == np.inf


def network(weights, images):
    """Two named layers of a function."""
    import jax

    with jax.named_scope("first"):
        x = jax.nn.relu(images @ weights["first"])
    with jax.named_scope("second"):
        return x @ weights["second"]


def case(**changed):
    weights = {"first": draw(3, 5), "second": draw(5, 4)}

    def reference(images):
        first = np.maximum(images @ weights["first"], 0)
        values = {"first": first, "second": first @ weights["second"], "table": draw(2, 3), "mask": first > 0}
        return {name: Value(array) for name, array in {**values, "<output>": values["second"], **changed}.items()}

    return Case(SIZE, lambda: fv.from_function(network, weights, input=fv.InputSpec(size=SIZE)), reference)


def test_a_network_is_compared_layer_by_layer():
    row = compare(case())
    assert row["values"] == 4 and row["output"] and row["unchanged"] and row["said"] == []
    assert row["absent"] == {"the same for every image": ["table"], "of type bool": ["mask"]}
    assert row["compared"] == 2 and row["worst"] < 1e-6


def test_a_wrong_layer_is_the_worst():
    row = compare(case(first=np.ones((2, 8, 8, 5), np.float32)))
    assert row["worst"] > 0.1 and row["layer"] == "first"


def test_a_network_that_changes_while_it_is_adapted_is_noticed():
    network = case()
    runs = []

    def reference(images):
        runs.append(images)
        return {**network.reference(images), "table": Value(draw(2, 3) + (len(runs) > 2))}

    assert not compare(network._replace(reference=reference))["unchanged"]


def test_the_page_says_what_is_refused_and_what_is_absent():
    absent = {**GOOD, "name": "other", "absent": {"one number": ["a", "b"]}, "said": ["it ends behind `a`"]}
    refused = {**ROW, "name": "third", "refused": "`module` | at /home/u/lib/site-packages/timm/x.py:1"}
    page = write_table([GOOD, absent, refused])
    assert "2 networks, 4 layers, the worst error 2e-06 (net)" in page
    assert "| net | 8 x 8 | 2 | 3 |  | 2e-06 | `conv` | 1.0 |" in page
    assert "| one number | 2 | other |" in page and "| timm other | it ends behind `a` |" in page
    assert "| timm third | `module` \\| at timm/x.py:1 |" in page


def test_every_network_has_its_own_name():
    assert len({key(network) for network in NETWORKS}) == len(NETWORKS)


def test_the_committed_page_keeps_the_bar():
    page = (ROOT / "docs" / "doors.md").read_text()
    errors = [float(error) for error in re.findall(r"\| (\d+e[-+]\d+|inf) \| `", page)]
    assert len(errors) >= 50 and max(errors) < BAR


@pytest.mark.frameworks
def test_a_network_of_pytorch_is_compared_with_its_hooks():
    torch = pytest.importorskip("torch")
    from door_networks.torch_values import torch_case
    from torch import nn

    class Twice(nn.Module):
        """A module that is called twice, and one that returns a dict."""

        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3, padding=1)
            self.head = Head()

        def forward(self, x):
            return self.head(self.conv(self.conv(x)))["mean"]

    class Head(nn.Module):
        def forward(self, x):
            return {"mean": x.mean((2, 3)), "largest": torch.amax(x, (2, 3))}

    row = compare(torch_case(Twice, 8))
    assert row["compared"] == row["values"] == 4 and row["worst"] < 1e-6 and row["unchanged"]
