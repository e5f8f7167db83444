"""The hints of errors about unknown names: which choices they suggest, and in which order."""

import pytest

from featviz.errors import FeatvizError, suggest
from featviz.recipes import RECIPES
from featviz.zoo.registry import outline

LAYERS = ["conv1/3x3", "conv1", "block_3a/3x3", "block_3a", "block_4c/3x3", "block_4c", "fc"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Conv1", "did you mean `conv1`?"),
        ("4c", "did you mean `block_4c` or `block_4c/3x3`?"),
        ("block", "did you mean `block_3a`, `block_4c`, `block_3a/3x3` or `block_4c/3x3`?"),
        ("blok_4c", "did you mean `block_4c`?"),
        ("blok_4c/3x3", "did you mean `block_4c/3x3`?"),
        # One letter is part of too many names.
        ("o", "expected one of `conv1`, `block_3a`, `block_4c`, `fc`, `conv1/3x3`, `block_3a/3x3`, `block_4c/3x3`"),
        ("", "expected one of `conv1`, `block_3a`, `block_4c`, `fc`, `conv1/3x3`, `block_3a/3x3`, `block_4c/3x3`"),
    ],
)
def test_choices_that_contain_the_name_come_first_and_outer_layers_before_inner(name, hint):
    assert suggest(name, LAYERS) == hint
    assert suggest(name, LAYERS * 2) == hint


def test_a_hint_lists_at_most_a_few_choices():
    assert suggest("unit", [f"unit{number}" for number in range(9)]) == (
        "did you mean `unit0`, `unit1`, `unit2`, `unit3`, `unit4` or 4 more?"
    )
    assert suggest("zzz", [f"unit{number}" for number in range(9)]).endswith("`unit7` or 1 more")
    assert suggest("maco", RECIPES) == "did you mean `maco_2023` or `maco_uniform`?"


@pytest.mark.parametrize(
    ("network", "name", "hint"),
    [
        ("patterns", "spiral", "did you mean 23 (`clockwise spiral`) or 24 (`counterclockwise spiral`)?"),
        ("patterns", "spirals", "did you mean 23 (`clockwise spiral`) or 24 (`counterclockwise spiral`)?"),
        ("patterns", "clockwize spiral", "did you mean 23 (`clockwise spiral`)?"),
        ("googlenet", "goldfsh", "did you mean 1 (`goldfish, Carassius auratus`)?"),
        (
            "patterns",
            "zzz",
            "expected a name such as `horizontal grating, low frequency`, or an index, 0 to 57",
        ),
    ],
)
def test_classes_are_suggested_by_index_and_full_name(network, name, hint):
    with pytest.raises(FeatvizError) as error:
        outline(network).class_index(name)
    assert str(error.value) == f"{network} has no class `{name}`; {hint}"
