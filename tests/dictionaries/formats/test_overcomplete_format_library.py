"""Modules and state dicts that overcomplete itself writes, against its own encoders and decoders."""

from functools import partial

import numpy as np
import pytest
from support.library_files import LATENTS, UNITS, check_same, draw_module, import_library

from featviz.dictionaries import load_dictionary
from featviz.errors import FeatvizError

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
library = import_library("overcomplete", "overcomplete.sae")

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore")]

check = partial(check_same, torch, formats=["overcomplete"])


def draw(module):
    return draw_module(torch, module).eval()


def save(thing, path):
    torch.save(thing, path)
    return path


@pytest.mark.parametrize("encoder", ["linear", "mlp_bn_1"])
def test_topk_saved_whole_and_as_a_state_dict(encoder, tmp_path):
    module = draw(library.TopKSAE(UNITS, LATENTS, top_k=3, encoder_module=encoder))
    whole = check(module, save(module, tmp_path / "whole.pt"), kind="topk")
    state = save(module.state_dict(), tmp_path / "state.pt")
    np.testing.assert_allclose(load_dictionary(state, kind="topk", k=3).code.encoder, whole.code.encoder)
    with pytest.raises(FeatvizError, match="a state dict of overcomplete, which does not say its class"):
        load_dictionary(state)


def test_batch_topk_jump_relu_and_relu(tmp_path):
    batch = draw(library.BatchTopKSAE(UNITS, LATENTS, top_k=3))
    batch.running_threshold = torch.tensor(0.4)
    # Of a batch, more than there are latents.
    batch.top_k = 300
    ours = check(batch, save(batch, tmp_path / "batch.pt"), kind="batch_topk")
    assert ours.code.summary == "threshold 0.4"
    jump = draw(library.JumpSAE(UNITS, LATENTS))
    check(jump, save(jump, tmp_path / "jump.pt"), kind="jump_relu")
    check(jump, save(jump.state_dict(), tmp_path / "jump_state.pt"), kind="jump_relu")
    plain = draw(library.SAE(UNITS, LATENTS, dictionary_params={"normalization": "max_l2", "use_multiplier": True}))
    check(plain, save(plain, tmp_path / "relu.pt"), kind="relu")


def test_archetypes_and_their_mixtures(tmp_path):
    points = torch.randn(12, UNITS, generator=torch.Generator().manual_seed(2))
    module = draw(library.RATopKSAE(UNITS, LATENTS, points, top_k=3, delta=0.5).eval())
    module.train()
    module.eval()
    ours = check(module, save(module, tmp_path / "ra.pt"), kind="archetypal")
    np.testing.assert_allclose(np.sum(ours.code.mixture, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(ours.code.with_decoder().directions, module.get_dictionary().detach(), atol=1e-5)


def test_what_has_no_linear_encoder_is_refused(tmp_path):
    module = library.TopKSAE(UNITS, LATENTS, top_k=3, encoder_module="mlp_bn_3").eval()
    with pytest.raises(FeatvizError, match="its encoder has hidden layers"):
        load_dictionary(save(module, tmp_path / "mlp.pt"))
    with pytest.raises(FeatvizError, match="its encoder has layer normalization"):
        load_dictionary(save(library.TopKSAE(UNITS, LATENTS, encoder_module="mlp_ln_1").eval(), tmp_path / "ln.pt"))
    with pytest.raises(FeatvizError, match="its class is `MpSAE`"):
        load_dictionary(save(library.MpSAE(UNITS, LATENTS).eval(), tmp_path / "mp.pt"))
