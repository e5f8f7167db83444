"""Dictionaries of two layers: how well each kind fits in the same time, beside other libraries on the same activations.

    python benchmarks/dictionaries.py [--network deit|googlenet] [--steps 4000] [--batch 2048] [--photos 800]
        [--kinds batch_topk,pca:32,nmf:64] [--k 32] [--rate X] [--others overcomplete,sae_lens] [--activations FOLDER]
        [--keep FOLDER]

A layer's activations on the photographs are harvested once: DeiT-tiny's `blocks/6` (192 units) or GoogLeNet's
`inception_4c` (512). An autoencoder of eight times the width is then trained; a number behind a colon is another
number of latents. Where `overcomplete` or `sae_lens` can be imported, the same kind of the same width is trained on the
same activations for the same processor time, with that library's modules and losses, Adam, and as many positions a
step. All are judged by one program on the photographs that were held out: explained variance, L0, dead latents, loss
recovered. `--keep` writes each dictionary as soon as it is fitted. Networks and photographs are read from
`FEATVIZ_TEST_DATA`; NMF, which takes no negative activations, ICA and k-means need scikit-learn.

Hardware: one CPU core. Time: a step of 2048 positions takes .07 s of processor time for DeiT-tiny and .43 s for
GoogLeNet (jax 0.10.2, AVX-512).
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "experiments"))

import numpy as np
from data import FOLDER, network

import featviz as fv
from featviz.dictionaries.dictionary import Dictionary, DictionaryRecord
from featviz.dictionaries.fitting.activation_store import TRAIN, ActivationStore
from featviz.dictionaries.fitting.classic_fits import CLASSIC
from featviz.dictionaries.fitting.fit_dictionary import Fit, check_fit, fit_code
from featviz.dictionaries.fitting.fit_report import report_fit
from featviz.dictionaries.fitting.harvest import harvest
from featviz.dictionaries.fitting.loss_recovered import held_out_loss
from featviz.dictionaries.fitting.position_sampling import Sampling
from featviz.dictionaries.kinds import BatchTopKSae, TopKSae

# SAELens' default, and the steps that tell how many fit a time.
SAE_LENS_RATE, TIMED = 3e-4, 10
NETWORKS = {
    "deit": ("deit_tiny", "blocks/6"),
    "googlenet": ("googlenet", "inception_4c"),
}


class Row(NamedTuple):
    """A line of the table."""

    name: str
    dictionary: Dictionary
    seconds: float
    steps: int
    wall: float


def ours(store: ActivationStore, fit: Fit) -> Row:
    """featviz's own fit, compilation included."""
    checked = check_fit(fit, store.units)
    started, wall = time.process_time(), time.perf_counter()
    code = fit_code(store, checked)
    spent = time.process_time() - started
    return Row(
        checked.kind, Dictionary(code), spent, 0 if checked.kind in CLASSIC else fit.steps, time.perf_counter() - wall
    )


def batches_for(values: Any, batch: int, seconds: float) -> Iterator[Any]:
    """Batches in random order, pass after pass, for a processor time."""
    import torch

    started = time.process_time()
    while True:
        order = torch.randperm(len(values))
        for start in range(0, len(values) - batch + 1, batch):
            if time.process_time() - started > seconds:
                return
            yield values[order[start : start + batch]]


def by_overcomplete(store: ActivationStore, fit: Fit, seconds: float) -> Row:
    """overcomplete's TopK or BatchTopK autoencoder: its modules and losses, Adam, batches in random order."""
    import torch
    from overcomplete.sae import BatchTopKSAE, TopKSAE

    latents = check_fit(fit, store.units).latents
    values = torch.from_numpy(store.read(TRAIN, 0, store.rows(TRAIN)))
    mean = values.mean(dim=0)
    scale = float(((values - mean) ** 2).sum(dim=1).mean().sqrt() / store.units**0.5)
    torch.manual_seed(0)
    made = {"batch_topk": BatchTopKSAE, "topk": TopKSAE}[fit.kind]
    k = fit.k * fit.batch if fit.kind == "batch_topk" else fit.k
    sae = made(store.units, nb_concepts=latents, top_k=k)
    optimizer = torch.optim.Adam(sae.parameters(), lr=5e-4)
    steps, wall = 0, time.perf_counter()
    sae.train()
    for values_of_step in batches_for(values, fit.batch, seconds):
        x = (values_of_step - mean) / scale
        _, codes, found = sae(x)
        loss = ((x - found) ** 2).mean() + 1e-4 * codes.abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        steps += 1
    wall = time.perf_counter() - wall
    sae.eval()
    return Row(f"overcomplete {fit.kind}", _from_overcomplete(sae, mean.numpy(), scale, fit), seconds, steps, wall)


def _from_overcomplete(sae: Any, mean: np.ndarray, scale: float, fit: Fit) -> Dictionary:
    """The module as a dictionary of activations as they are: its affine encoder is measured on unit vectors."""
    import torch

    with torch.no_grad():
        zero = sae.encode(torch.zeros(1, len(mean)))[0]
        encoder = (sae.encode(torch.eye(len(mean)))[0] - zero).numpy()
        decoder = sae.get_dictionary().numpy()
    bias = scale * zero[0].numpy() - mean @ encoder
    arrays = {"encoder": encoder, "encoder_bias": bias, "decoder": decoder, "decoder_bias": mean}
    if fit.kind == "topk":
        return Dictionary(TopKSae(**arrays, k=fit.k, centered=False))
    threshold = np.asarray(scale * float(sae.running_threshold), np.float32)
    return Dictionary(BatchTopKSae(**arrays, threshold=threshold, k=fit.k, centered=False))


def by_sae_lens(store: ActivationStore, fit: Fit, seconds: float) -> Row:
    """SAELens' own trainer: its scaling, auxiliary loss, counts of dead latents, and rate, which falls at the end."""
    import torch
    from sae_lens import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig, TopKTrainingSAE, TopKTrainingSAEConfig
    from sae_lens.config import SAETrainerConfig
    from sae_lens.training.sae_trainer import SAETrainer

    latents = check_fit(fit, store.units).latents
    values = torch.from_numpy(store.read(TRAIN, 0, store.rows(TRAIN)))
    kinds: dict[str, tuple[Any, Any]] = {
        "topk": (TopKTrainingSAE, TopKTrainingSAEConfig),
        "batch_topk": (BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig),
    }
    made, config = kinds[fit.kind]

    def train(steps: int) -> tuple[Any, float, float]:
        """The autoencoder after some steps, with the processor time and the time that they took."""
        torch.manual_seed(0)
        sae = made(config(d_in=store.units, d_sae=latents, k=fit.k, normalize_activations="expected_average_only_in"))
        rate = SAE_LENS_RATE if fit.rate is None else fit.rate
        how = SAETrainerConfig(
            total_training_samples=steps * fit.batch,
            train_batch_size_samples=fit.batch,
            lr=rate,
            lr_end=rate / 10,
            lr_decay_steps=steps // 5,
            n_batches_for_norm_estimate=8,
        )
        started, wall = time.process_time(), time.perf_counter()
        SAETrainer(how, sae, batches_for(values, fit.batch, float("inf"))).fit()
        return sae, time.process_time() - started, time.perf_counter() - wall

    train(2)
    steps = max(2, round(seconds / train(TIMED)[1] * TIMED))
    sae, spent, wall = train(steps)
    with tempfile.TemporaryDirectory() as folder:
        sae.save_inference_model(folder)
        return Row(f"sae-lens {fit.kind}", fv.load_dictionary(folder), spent, steps, wall)


OTHERS: dict[str, Callable[[ActivationStore, Fit, float], Row]] = {
    "overcomplete": by_overcomplete,
    "sae_lens": by_sae_lens,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=NETWORKS, default="deit")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=2048)
    parser.add_argument("--photos", type=int, default=800)
    parser.add_argument("--kinds", default="batch_topk,pca:32,nmf:64")
    parser.add_argument("--k", type=int, default=32)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--others", default=",".join(OTHERS), help="the libraries to compare with")
    parser.add_argument("--activations", type=Path)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    architecture, layer = NETWORKS[options.network]
    names = {"deit_tiny": "deit_tiny_patch16_224"}
    model = fv.load(architecture, weights=network(names.get(architecture, architecture)))
    every = sorted((FOLDER / "photos").glob("*.jpg"))
    photos = every[:: max(1, len(every) // options.photos)]
    with tempfile.TemporaryDirectory() as work:
        folder = options.activations or Path(work) / "activations"
        started = time.perf_counter()
        store = harvest(model, layer, photos, out=folder, sampling=Sampling())
        print(f"harvest of {len(photos)} photos: {time.perf_counter() - started:.0f} s, {store.rows(TRAIN)} positions")
        print(f"norms: {store.attributes['norms']}")
        print("| fit | latents | steps | processor s | s | explained variance | L0 | dead | loss recovered |")
        print("|---|---|---|---|---|---|---|---|---|")
        for kind, _, latents in (each.partition(":") for each in options.kinds.split(",")):
            fit = Fit(kind, int(latents) if latents else None, options.k, options.steps, options.batch, options.rate)
            row = ours(store, fit)
            keep(row, options.keep, model, layer)
            show(row, store, model, layer, photos)
            if kind in ("topk", "batch_topk"):
                for name in filter(None, options.others.split(",")):
                    train = OTHERS[name]
                    try:
                        __import__(name)
                    except ImportError:
                        continue
                    theirs = train(store, fit, row.seconds)
                    keep(theirs, options.keep, model, layer)
                    show(theirs, store, model, layer, photos)


def keep(row: Row, folder: Path | None, model: fv.Model, layer: str) -> None:
    """Writes a dictionary to a folder, if there is one."""
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    record = DictionaryRecord(model=model.name, layer=layer, notes=(("steps", str(row.steps)),))
    name = f"{model.name}-{layer.replace('/', '-')}-{row.name.replace(' ', '-')}.safetensors"
    fv.save_dictionary(folder / name, replace(row.dictionary, record=record))


def show(row: Row, store: ActivationStore, model: fv.Model, layer: str, photos: list[Path]) -> None:
    """Prints a line of the table."""
    report = report_fit(row.dictionary, store)
    loss = held_out_loss(model, layer, row.dictionary, photos, size=tuple(store.attributes["size"]))
    recovered = "" if loss is None else f"{loss.recovered:.1%}"
    figures = f"{report.explained_variance:.4f} | {report.l0:.1f} | {report.dead:.1%} | {recovered}"
    times = f"{row.steps} | {row.seconds:.0f} | {row.wall:.0f}"
    print(f"| {row.name} | {row.dictionary.latents} | {times} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
