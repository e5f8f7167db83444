"""Files that dictionary-learning itself writes, against its own encoders and decoders."""

import json
from functools import partial

import pytest
from support.library_files import LATENTS, UNITS, check_same, draw_module, import_library

from featviz.dictionaries import load_dictionary
from featviz.errors import FeatvizError

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
library, batch_topk, topk, nested = (
    import_library("dictionary-learning", f"dictionary_learning.{module}")
    for module in ("dictionary", "trainers.batch_top_k", "trainers.top_k", "trainers.matryoshka_batch_top_k")
)

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore")]

check = partial(check_same, torch, formats=["dictionary_learning", "arrays"])
draw = partial(draw_module, torch)


def save(module, folder, **trainer):
    folder.mkdir()
    torch.save(module.state_dict(), folder / "ae.pt")
    if trainer:
        (folder / "config.json").write_text(json.dumps({"trainer": trainer}))
    return folder


def test_relu_with_the_decoder_that_the_library_gives_it(tmp_path):
    folder = save(draw(library.AutoEncoder(UNITS, LATENTS)), tmp_path / "a")
    check(library.AutoEncoder.from_pretrained(str(folder / "ae.pt")), folder, kind="relu")
    new = draw(library.AutoEncoderNew(UNITS, LATENTS))
    check(new, save(new, tmp_path / "b"), kind="relu")


def test_gated_and_jump_relu(tmp_path):
    gated = draw(library.GatedAutoEncoder(UNITS, LATENTS))
    check(gated, save(gated, tmp_path / "a"), kind="gated")
    jump = draw(library.JumpReluAutoEncoder(UNITS, LATENTS))
    check(jump, save(jump, tmp_path / "b"), kind="jump_relu")


def test_topk_and_batch_topk_are_told_apart_by_the_configuration(tmp_path):
    largest = draw(topk.AutoEncoderTopK(UNITS, LATENTS, 3))
    assert check(largest, save(largest, tmp_path / "a", dict_class="AutoEncoderTopK"), kind="topk").code.k == 3
    batch = draw(batch_topk.BatchTopKSAE(UNITS, LATENTS, 3))
    batch.threshold.fill_(0.6)
    folder = save(batch, tmp_path / "b", dict_class="BatchTopKSAE", lm_name="dinov2", submodule_name="blocks.6")
    record = check(batch, folder, kind="batch_topk").record
    assert (record.model, record.layer) == ("dinov2", "blocks.6")
    alone = save(batch, tmp_path / "c")
    with pytest.raises(FeatvizError, match="it is a TopK or a BatchTopK dictionary and does not say which"):
        load_dictionary(alone)
    assert load_dictionary(alone, kind="batch_topk").code.name == "batch_topk"
    batch.threshold.fill_(-1.0)
    with pytest.raises(FeatvizError, match="it is a BatchTopK dictionary with the threshold -1"):
        load_dictionary(save(batch, tmp_path / "d", dict_class="BatchTopKSAE"))


def test_matryoshka(tmp_path):
    module = draw(nested.MatryoshkaBatchTopKSAE(UNITS, LATENTS, 3, [4, 6]))
    module.threshold.fill_(0.6)
    ours = check(module, save(module, tmp_path / "a"), kind="matryoshka")
    assert ours.code.groups == (4, 6) and ours.code.autoencoder.k == 3
