"""TARGET on the command line: each kind of objective that can be written is read back."""

import numpy as np
import pytest
from support.objectives import EXAMPLES, LAYER, example, layout_of

from featviz.cli.targets import parse_target
from featviz.errors import FeatvizError
from featviz.model import OUTPUT, InputSpec, Layer, Model
from featviz.objectives import TARGET_FORMS, channel, direction, head, logit, neuron, patches, strongest

ROWS = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)


def network(**options):
    """A model that is asked for the names and units of its layers and its output alone."""
    layers = (Layer("first", (8, 8, 4)), Layer(LAYER, (4, 5, 7), rectified=True))
    output = {OUTPUT: np.zeros((1, 7), np.float32)}
    return Model("network", lambda *_, **__: output, {}, layers, InputSpec(size=(16, 16)), **options)


WRITTEN = [name for name in EXAMPLES if example(name, layout_of(name)).target is not None]


@pytest.mark.parametrize("name", WRITTEN)
def test_every_target_is_read_back(name):
    objective = example(name, layout_of(name))
    for signed in (objective, -objective):
        (found,) = parse_target(signed.target, network())
        assert found.hash == signed.hash and found.label == signed.label


@pytest.mark.parametrize("form", TARGET_FORMS, ids=lambda form: f"{form.units_of.name} {form.example}")
def test_every_form_reads_its_examples(form):
    model = network(classes=("tench", "goldfish", "tabby, tabby cat", "crane", "crab", "quill", "mitten"))
    layer = {"OUTPUT": "logit"}.get(form.units_of.name, LAYER)
    rows = ROWS if form.units_of.name == "DIRECTIONS" else None
    for text in form.example.split(", "):
        (found,) = parse_target(f"{layer}:{text.replace('103', '3').replace('of12', 'of7')}", model, directions=rows)
        assert len(found.terms) == 1


def test_the_forms_that_are_written_otherwise_than_read():
    (center,) = parse_target(f"{LAYER}:3@centre", network())
    assert center.hash == neuron(LAYER, 3).hash and center.target == f"{LAYER}:3@center"
    (token,) = parse_target(f"{LAYER}:3@class", network())
    assert token.hash == neuron(LAYER, 3, position=(0,)).hash and token.target == f"{LAYER}:3@0"


@pytest.mark.parametrize(
    ("units", "objectives"),
    [
        ("0-2,6", channel(LAYER, [0, 1, 2, 6])),
        ("all", channel(LAYER, range(7))),
        (
            "-3,2@1x2,-2@patches2",
            [-channel(LAYER, 3), neuron(LAYER, 2, position=(1, 2)), -patches(LAYER, 2, class_tokens=2)],
        ),
        (
            "3@top4,-2@top2patches2",
            [strongest(LAYER, 3, count=4), -strongest(LAYER, 2, count=2, class_tokens=2)],
        ),
        ("head2of7", [head(LAYER, 2, heads=7)]),
    ],
)
def test_lists_ranges_and_negatives(units, objectives):
    assert [found.hash for found in parse_target(f"{LAYER}:{units}", network())] == [each.hash for each in objectives]


def test_logits_by_index_and_by_name():
    model = network(classes=("tench", "t-shirt", "tabby, tabby cat", "crane", "crab", "quill", "mitten"))
    found = parse_target("logit:5,tabby,t-shirt,-tench,1-2", model)
    assert [each.hash for each in found] == [
        each.hash for each in (logit(5), logit(2), logit(1), -logit(0), *logit([1, 2]))
    ]
    assert len(parse_target("logit:all", network())) == 7
    with pytest.raises(FeatvizError, match="did you mean 2 "):
        parse_target("logit:tabbi", model)


def test_directions_are_rows_of_a_file():
    def labels(units):
        return [
            each.label.removeprefix(f"{LAYER}:direction ")
            for each in parse_target(f"{LAYER}:{units}", network(), directions=ROWS)
        ]

    (found,) = parse_target(f"{LAYER}:4", network(), directions=ROWS)
    assert found.hash == direction(LAYER, ROWS[4], index=4).hash
    assert labels("0-1,3@1x2,2@class,2@patches") == ["0", "1", "3@1x2", "2@0", "2@patches"]
    assert labels("-1") == [f"-{LAYER}:direction 1"]
    with pytest.raises(FeatvizError, match="`3@center` is not a direction"):
        parse_target(f"{LAYER}:3@center", network(), directions=ROWS)
    with pytest.raises(FeatvizError, match="unit 5 is out of range; layer has 5 directions, 0 to 4"):
        parse_target(f"{LAYER}:5", network(), directions=ROWS)
    with pytest.raises(FeatvizError, match="--directions: each has 7 numbers; first has 4 units"):
        parse_target("first:0", network(), directions=ROWS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAYER, "TARGET is `layer`; expected LAYER:UNITS, such as `layer:0-6`"),
        ("layr:3", "network has no layer `layr`; did you mean `layer`?"),
        ("layer:7", "unit 7 is out of range; layer has 7 units, 0 to 6"),
        ("layer:0-7", "unit 7 is out of range; layer has 7 units, 0 to 6"),
        ("layer:4-2", "the range `4-2` of layer runs backwards; expected `2-4`"),
        ("logit:7", "unit 7 is out of range; logit has 7 outputs, 0 to 6"),
        ("layer:tabby", "`tabby` names no unit of layer; expected 103, 103@3x4, 103@center, 103@class, 103@patches, "),
        ("layer:--3", "`-3` names no unit of layer"),
        ("logit:3@1x2", "`3@1x2` names no unit of logit; expected 5, tabby, 0-15, -103, all"),
    ],
)
def test_other_texts_are_refused_in_one_line(text, message):
    with pytest.raises(FeatvizError) as caught:
        parse_target(text, network())
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_targets_of_a_real_network(patterns):
    assert len(parse_target("mixed4a:all", patterns)) == 80
    assert [o.label for o in parse_target("conv1:0-2,7", patterns)] == ["conv1:0", "conv1:1", "conv1:2", "conv1:7"]
    assert parse_target("conv1:3@center", patterns)[0].label == "conv1:3@center"
    assert parse_target("conv1/6x6:-3", patterns)[0].label == "-conv1/6x6:3"
    with pytest.raises(FeatvizError, match="out of range"):
        parse_target("logit:58", patterns)
