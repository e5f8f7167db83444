"""What a map is asked for: defaults of the network and the recipe, and refusals before photographs are read."""

from dataclasses import replace

import pytest
from support.surveys import refused

import featviz as fv
from featviz.activation_atlas.map_request import LEVELS, make_map_request


def test_defaults_are_those_of_the_recipe_and_the_layer(patterns):
    found = make_map_request(patterns, "mixed3a")
    assert found.sides == LEVELS and found.drawing.steps == fv.recipes.default.steps
    assert found.subject.of is None and found.class_names == {} and found.drawing.class_tokens == 0


def test_classes_are_found_by_name(patterns):
    found = make_map_request(patterns, "mixed3a", of="leaf", against=3, levels=(4, 2))
    assert found.class_names == {56: "leaf", 3: patterns.classes[3]} and found.sides == (2, 4)


def test_the_first_name_stands_for_a_class_unless_another_has_it(patterns):
    named = replace(patterns, classes=("tabby, tabby cat", "crane", "crane", *patterns.classes[3:]))
    found = make_map_request(named, "mixed3a", of="tabby, tabby cat", against=2)
    assert found.class_names == {0: "tabby", 2: "crane (2)"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"per_photo": 0}, "`per_photo` is 0"),
        ({"min_photos": -1}, "`min_photos` is -1"),
        ({"levels": (0,)}, "`levels` is 0"),
        ({"layout": "tsne"}, "`layout` is `tsne`"),
        ({"size": 4}, "`size` is 4"),
        ({"steps": 0}, "`steps` is 0"),
        ({"seed": 2**40}, "`seed` is"),
        ({"against": "leaf"}, "`against` is given without `of`"),
        ({"dtype": "int8"}, "int8"),
    ],
)
def test_what_no_map_can_have_is_refused(patterns, given, said):
    refused(said, make_map_request, patterns, "mixed3a", **given)
    refused("with positions", make_map_request, patterns, "logits", **given)
