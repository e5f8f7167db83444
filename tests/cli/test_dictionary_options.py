"""`--dictionary` and what is said of its file: the command's names are those of the registries."""

from featviz import dictionaries
from featviz.cli.options.dictionary_options import KINDS, NORMALIZATIONS, add_dictionaries


def test_the_names_are_those_of_the_registries():
    assert set(KINDS) <= set(dictionaries.KINDS)
    assert set(NORMALIZATIONS) <= set(dictionaries.NORMALIZATIONS)


def test_each_normalization_is_made_without_arguments():
    assert [dictionaries.NORMALIZATIONS[name]().name for name in NORMALIZATIONS] == list(NORMALIZATIONS)


def test_without_dictionaries_the_model_is_the_same(patterns):
    assert add_dictionaries(patterns, ()) is patterns
