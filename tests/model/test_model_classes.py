"""Classes by their names."""

from dataclasses import replace

import pytest

from featviz.errors import FeatvizError


def test_a_class_by_its_name(patterns):
    name = patterns.classes[7]
    assert patterns.class_index(name.upper()) == 7
    assert patterns.class_index("upright plaid") == patterns.classes.index("upright plaid")
    twins = replace(patterns, classes=("crane, bird", "tabby", "crane, machine"))
    with pytest.raises(FeatvizError, match="is the name of classes 0, 2"):
        twins.class_index("crane")


def test_the_error_for_an_unknown_class_names_the_nearest(patterns):
    name = patterns.classes[7]
    with pytest.raises(FeatvizError, match="did you mean"):
        patterns.class_index(name[:-1] + "#")
