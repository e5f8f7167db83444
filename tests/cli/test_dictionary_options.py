"""`--dictionary` and what is said of its file: the command's names are those of the registries."""

import numpy as np

from featviz import dictionaries
from featviz.cli.options.dictionary_options import KINDS, NORMALIZATIONS, add_dictionaries


def test_the_names_are_those_of_the_registries():
    assert set(KINDS) <= set(dictionaries.KINDS)
    assert set(NORMALIZATIONS) <= set(dictionaries.NORMALIZATIONS)


def test_each_normalization_is_made_without_arguments():
    assert [dictionaries.NORMALIZATIONS[name]().name for name in NORMALIZATIONS] == list(NORMALIZATIONS)


def test_without_dictionaries_the_model_is_the_same(patterns):
    assert add_dictionaries(patterns, ()) is patterns


def test_a_dictionary_of_another_layer_is_told(patterns, tmp_path, capsys):
    code = dictionaries.KINDS["k_means"](centers=np.eye(3, 20, dtype=np.float32))
    record = dictionaries.DictionaryRecord(model="patterns", layer="conv1", weights_sha256="0" * 64)
    file = dictionaries.save_dictionary(tmp_path / "centers.safetensors", dictionaries.Dictionary(code, record=record))
    assert add_dictionaries(patterns, (f"conv1={file}",)).layer("conv1/latents").units == 3
    told = "featviz: --dictionary: `centers.safetensors`: it was fitted on other weights\n"
    assert capsys.readouterr().err == told
