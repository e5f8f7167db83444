"""Folders laid out as SAELens and ViT-Prisma lay them out, against numpy."""

import json
import sys
import types

import numpy as np
import pytest
from safetensors.numpy import save_file
from support.dictionaries import LATENTS, UNITS, draw_autoencoder, largest, pre, relu
from support.weight_files import saved

from featviz.dictionaries import load_dictionary
from featviz.errors import FeatvizError

OURS = {"encoder": "W_enc", "encoder_bias": "b_enc", "decoder": "W_dec", "decoder_bias": "b_dec"}
ARRAYS = draw_autoencoder(np.random.default_rng(0))
THEIRS = {OURS[name]: array for name, array in ARRAYS.items()}
X = np.random.default_rng(1).normal(size=(5, UNITS)).astype(np.float32)


def folder(path, config, arrays=None):
    path.mkdir(exist_ok=True)
    (path / "cfg.json").write_text(json.dumps({"d_in": UNITS, "d_sae": LATENTS, **config}))
    save_file(THEIRS if arrays is None else arrays, path / "sae_weights.safetensors")
    save_file({"sparsity": np.zeros(LATENTS, np.float32)}, path / "sparsity.safetensors")
    return path


def normalized(x):
    return (x - x.mean(-1, keepdims=True)) / (x.std(-1, ddof=1, keepdims=True) + 1e-5)


def test_version_5_has_its_metadata_on_top(tmp_path):
    config = {"architecture": "standard", "model_name": "clip", "hook_name": "blocks.9.hook_resid_post"}
    more = {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 3}, "normalize_activations": "layer_norm"}
    ours = load_dictionary(folder(tmp_path, {**config, **more}))
    np.testing.assert_allclose(ours.encode(X), largest(relu(pre(ARRAYS, normalized(X))), 3), atol=1e-5)
    assert (ours.record.model, ours.record.layer, ours.record.format) == ("clip", "blocks.9.hook_resid_post", "SAELens")
    assert ours.record.file == str(tmp_path)


def test_the_largest_magnitudes_keep_their_signs(tmp_path):
    ours = load_dictionary(folder(tmp_path, {"architecture": "abstopk", "k": 3, "normalize_activations": "none"}))
    z = pre(ARRAYS, X)
    np.testing.assert_allclose(ours.encode(X), z * (largest(np.abs(z), 3) > 0), atol=1e-5)
    assert np.asarray(ours.encode(X)).min() < 0 and ours.code.summary == "k 3, by magnitude"


def test_older_versions_say_normalization_by_a_truth_value_and_scale_the_decoder(tmp_path):
    scaling = np.linspace(1, 2, LATENTS, dtype=np.float32)
    config = {"hook_point": "blocks.1.hook_mlp_out", "normalize_activations": False, "finetuning_scaling_factor": True}
    ours = load_dictionary(folder(tmp_path, config, {**THEIRS, "scaling_factor": scaling}))
    z = relu(pre(ARRAYS, X))
    np.testing.assert_allclose(ours.encode(X), z, atol=1e-5)
    np.testing.assert_allclose(ours.decode(z), (z * scaling) @ THEIRS["W_dec"] + THEIRS["b_dec"], atol=2e-5)


def test_a_scale_that_the_file_does_not_hold_is_warned_of(tmp_path):
    with pytest.warns(UserWarning, match="multiplied by one number, which its file does not"):
        ours = load_dictionary(folder(tmp_path, {"normalize_activations": "expected_average_only_in"}))
    assert ours.normalization.name == "none"


def refusal(path):
    with pytest.raises(FeatvizError) as caught:
        load_dictionary(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_cannot_be_used_is_refused_in_one_line(tmp_path):
    base = {"normalize_activations": "none"}
    said = refusal(folder(tmp_path / "a", {**base, "architecture": "transcoder"}))
    assert "its architecture is `transcoder`; expected one of `standard`, `topk`, " in said
    said = refusal(folder(tmp_path / "b", {**base, "architecture": "jumprelu"}))
    assert "it is a JumpReLU dictionary without `threshold`" in said
    said = refusal(folder(tmp_path / "c", {**base, "architecture": "topk"}))
    assert "does not say its k; expected `k`" in said
    said = refusal(folder(tmp_path / "k", {**base, "architecture": "topk", "k": "many"}))
    assert "its k is `many`; expected a whole number from 1" in said
    (folder(tmp_path / "l", base) / "cfg.json").write_text("[1, 2]")
    assert "`cfg.json` beside `sae_weights.safetensors` holds a list; expected a JSON object" in refusal(tmp_path / "l")
    said = refusal(folder(tmp_path / "d", {**base, "activation_fn_str": "tanh-relu"}))
    assert "its activation function is `tanh-relu`" in said
    said = refusal(folder(tmp_path / "e", {"normalize_activations": "covariance_whitening"}))
    assert "it normalizes activations by `covariance_whitening`" in said
    said = refusal(folder(tmp_path / "f", base, {**THEIRS, "W_dec": THEIRS["W_dec"][:4]}))
    assert "its encoder has shape (6, 9) and its decoder (4, 6)" in said
    said = refusal(folder(tmp_path / "g", base, {**THEIRS, "W_dec": np.full_like(THEIRS["W_dec"], np.inf)}))
    assert "`decoder` of the dictionary has values that are not finite" in said
    said = refusal(folder(tmp_path / "h", {**base, "architecture": "batchtopk"}))
    assert "it is a BatchTopK dictionary with no threshold" in said


def test_what_contradicts_itself_is_refused_in_one_line(tmp_path):
    base = {"normalize_activations": "none"}
    said = refusal(folder(tmp_path / "a", {**base, "d_in": 768}))
    assert "its configuration says `d_in` 768, its arrays have 6; expected those of one dictionary" in said
    said = refusal(folder(tmp_path / "b", {**base, "d_sae": 16}))
    assert "its configuration says `d_sae` 16, its arrays have 9" in said
    said = refusal(folder(tmp_path / "c", {**base, "architecture": "topk", "k": 32}))
    assert "its k is 32; expected a whole number from 1 to 9, the number of its latents" in said
    for k, shown in ((-3, "its k is -3"), (0, "its k is 0"), ([2, 3], "its k is `[2, 3]`")):
        assert shown in refusal(folder(tmp_path / "d", {**base, "architecture": "topk", "k": k}))
    said = refusal(
        folder(tmp_path / "e", {**base, "activation_fn_str": "topk", "activation_fn_kwargs": {"k": 3}, "k": 4})
    )
    assert "its configuration says two k, 4 and 3; expected one" in said
    limits = np.full(LATENTS, 0.5, np.float32)
    said = refusal(folder(tmp_path / "f", {**base, "architecture": "standard"}, {**THEIRS, "threshold": limits}))
    assert "its architecture is `standard`, and it has `threshold`; expected jumprelu" in said
    said = refusal(folder(tmp_path / "g", {**base, "architecture": "jumprelu"}, {**THEIRS, "threshold": limits[:4]}))
    assert "`threshold` of the dictionary has shape (4,); expected (9,)" in said
    said = refusal(
        folder(
            tmp_path / "h", {**base, "finetuning_scaling_factor": True}, {**THEIRS, "scaling_factor": limits * np.nan}
        )
    )
    assert "`decoder` of the dictionary has values that are not finite" in said
    said = refusal(folder(tmp_path / "i", base, {}))
    assert "it holds no arrays; expected a dictionary of featviz" in said
    # What precision it was trained in says nothing of the arrays.
    assert load_dictionary(folder(tmp_path / "j", {**base, "dtype": "float99"})).latents == LATENTS


def test_prisma_has_its_configuration_beside_a_state_dict(tmp_path):
    config = {"architecture": "standard", "hook_point": "blocks.9.hook_mlp_out", "cls_token_only": False}
    more = {"model_class_name": "HookedViT", "normalize_activations": "layer_norm", "activation_fn_str": "relu"}
    (tmp_path / "config.json").write_text(json.dumps({**config, **more}))
    (tmp_path / "weights.pt").write_bytes(saved(THEIRS))
    ours = load_dictionary(tmp_path / "weights.pt")
    np.testing.assert_allclose(ours.encode(X), relu(pre(ARRAYS, normalized(X))), atol=1e-5)
    assert (ours.record.format, ours.record.layer) == ("ViT-Prisma", "blocks.9.hook_mlp_out")


def test_prisma_says_its_layer_in_two_parts_and_what_it_was_fitted_on(tmp_path):
    config = {"hook_point_layer": 9, "layer_subtype": "hook_resid_post", "cls_token_only": True}
    config["normalize_activations"] = "layer_norm"
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "weights.pt").write_bytes(saved(THEIRS))
    record = load_dictionary(tmp_path).record
    assert record.layer == "blocks.9.hook_resid_post" and record.notes == (("cls_token_only", "True"),)
    (tmp_path / "config.json").write_text(json.dumps({**config, "is_transcoder": True}))
    assert "it is a transcoder, which reconstructs another layer than it encodes" in refusal(tmp_path)


@pytest.mark.frameworks
def test_older_files_of_prisma_hold_a_configuration_object_which_is_not_imported(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    module = types.ModuleType("vit_prisma.sae.config")

    class VisionModelSAERunnerConfig:
        pass

    VisionModelSAERunnerConfig.__module__ = module.__name__
    VisionModelSAERunnerConfig.__qualname__ = "VisionModelSAERunnerConfig"
    module.VisionModelSAERunnerConfig = VisionModelSAERunnerConfig
    for name in ("vit_prisma", "vit_prisma.sae", "vit_prisma.sae.config"):
        monkeypatch.setitem(sys.modules, name, module)
    config = VisionModelSAERunnerConfig()
    config.normalize_activations, config.activation_fn_str = "layer_norm", "topk"
    config.activation_fn_kwargs, config.cls_token_only, config.dtype = {"k": 3}, True, torch.float32
    config.hook_point, config.layers = "blocks.9.hook_resid_post", [9]
    state = {name: torch.from_numpy(array) for name, array in THEIRS.items()}
    torch.save({"cfg": config, "state_dict": state}, tmp_path / "sae.pt")
    for name in ("vit_prisma", "vit_prisma.sae", "vit_prisma.sae.config"):
        monkeypatch.delitem(sys.modules, name)
    ours = load_dictionary(tmp_path / "sae.pt")
    np.testing.assert_allclose(ours.encode(X), largest(relu(pre(ARRAYS, normalized(X))), 3), atol=1e-5)
    assert ours.record.format == "ViT-Prisma" and "vit_prisma" not in sys.modules
