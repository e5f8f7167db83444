"""Folders that sae-lens itself writes, against its own encoders and decoders."""

import numpy as np
import pytest
from support.library_files import LATENTS, UNITS, check_same, draw_module, import_library

from featviz.dictionaries import load_dictionary

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
saes = import_library("sae-lens", "sae_lens.saes")

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore")]

NORMALIZATIONS = ("none", "layer_norm", "constant_norm_rescale")
KINDS = {"Standard": "relu", "TopK": "topk", "AbsTopK": "topk", "JumpReLU": "jump_relu", "Gated": "gated"}
CASES = [
    ("Standard", {}),
    ("Standard", {"apply_b_dec_to_input": False}),
    ("TopK", {"k": 3}),
    ("TopK", {"k": 3, "rescale_acts_by_decoder_norm": True}),
    ("AbsTopK", {"k": 3}),
    ("AbsTopK", {"k": 3, "rescale_acts_by_decoder_norm": True}),
    ("JumpReLU", {"apply_b_dec_to_input": False}),
    ("Gated", {}),
]


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize(("name", "settings"), CASES)
def test_folders_of_version_6(name, settings, normalization, tmp_path):
    config = getattr(saes, f"{name}SAEConfig")(
        d_in=UNITS, d_sae=LATENTS, normalize_activations=normalization, **settings
    )
    sae = draw_module(torch, getattr(saes, f"{name}SAE")(config))
    sae.save_model(tmp_path / "sae")
    check_same(torch, sae, tmp_path / "sae", kind=KINDS[name], formats=["SAELens"])


def test_a_trained_batch_topk_is_saved_with_its_threshold(tmp_path):
    config = saes.BatchTopKTrainingSAEConfig(d_in=UNITS, d_sae=LATENTS, k=2, rescale_acts_by_decoder_norm=True)
    trained = draw_module(torch, saes.BatchTopKTrainingSAE(config))
    trained.topk_threshold.fill_(0.7)
    trained.save_inference_model(tmp_path / "inference")
    sae = saes.JumpReLUSAE.load_from_disk(tmp_path / "inference")
    inference = check_same(torch, sae, tmp_path / "inference", kind="jump_relu", formats=["SAELens"])
    trained.save_model(tmp_path / "training")
    ours = load_dictionary(tmp_path / "training")
    assert ours.code.name == "batch_topk" and ours.code.k == 2
    x = np.random.default_rng(1).normal(size=(7, UNITS)).astype(np.float32)
    np.testing.assert_allclose(ours.encode(x), inference.encode(x), atol=1e-5)


def test_a_matryoshka_keeps_its_groups(tmp_path):
    config = saes.MatryoshkaBatchTopKTrainingSAEConfig(d_in=UNITS, d_sae=LATENTS, k=2, matryoshka_widths=[4, LATENTS])
    trained = draw_module(torch, saes.MatryoshkaBatchTopKTrainingSAE(config))
    trained.topk_threshold.fill_(0.7)
    trained.save_model(tmp_path / "training")
    assert load_dictionary(tmp_path / "training").code.groups == (4, 6)
