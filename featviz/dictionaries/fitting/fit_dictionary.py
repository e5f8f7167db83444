"""`fv.fit_dictionary`: a layer's activations are harvested, and a dictionary of any kind is fitted to them."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from featviz.common.arguments import check_count
from featviz.dictionaries.dictionary import Dictionary, DictionaryRecord
from featviz.dictionaries.fitting.activation_store import HELD_OUT, TRAIN, ActivationStore
from featviz.dictionaries.fitting.classic_fits import CLASSIC
from featviz.dictionaries.fitting.fit_report import FitReport, report_fit
from featviz.dictionaries.fitting.harvest import HELD_OUT_EVERY, harvest
from featviz.dictionaries.fitting.loss_recovered import LossRecovered, held_out_loss
from featviz.dictionaries.fitting.position_sampling import Sampling
from featviz.dictionaries.fitting.sae_step import DEAD_AFTER, SaeSettings, default_rate
from featviz.dictionaries.fitting.sae_training import train_sae
from featviz.dictionaries.fitting.sufficiency import check_sufficiency
from featviz.dictionaries.fitting.trained_kinds import TRAINED
from featviz.dictionaries.kinds import Code
from featviz.errors import FeatvizError, suggest
from featviz.model import Model, require_model
from featviz.model.shapes import shapes_at
from featviz.rendering.checks import check_seed, check_size
from featviz.surveys.photos import Folder, PhotoInput, find_photos

# Latents for each unit of the layer.
EXPANSION = 8
MAX_LATENTS = 2**24


class Fit(NamedTuple):
    """A dictionary to be fitted.

    Args:
      kind: by its name, such as `batch_topk`.
      latents: how many; None for eight times the layer's units, or as many as it has for PCA, NMF, ICA and k-means.
      k: how many latents fire at a position: exactly (topk), on average (batch_topk, matryoshka), or what the penalty
        is regulated to (relu, gated); a penalty holds jump_relu near it.
      steps: of the training.
      batch: positions a step.
      rate: the learning rate at its highest; by default as the number of latents asks for.
      seed: of the first values and the order of positions.
    """

    kind: str = "batch_topk"
    latents: int | None = None
    k: int = 32
    steps: int = 4000
    batch: int = 2048
    rate: float | None = None
    seed: int = 0


class Fitted(NamedTuple):
    """A fitted dictionary and how well it fits what was held out.

    Args:
      dictionary: with what it was fitted on.
      report: of positions.
      loss: of the network's output; None where it cannot be measured.
    """

    dictionary: Dictionary
    report: FitReport
    loss: LossRecovered | None


def fit_dictionary(
    model: Model,
    layer: str,
    photos: PhotoInput,
    *,
    kind: str = "batch_topk",
    latents: int | None = None,
    k: int = 32,
    steps: int = 4000,
    batch: int = 2048,
    rate: float | None = None,
    positions: int | None = None,
    class_tokens: bool = False,
    high_norms: bool = True,
    size: int | tuple[int, int] | None = None,
    seed: int = 0,
    activations: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Dictionary:
    """Fits a dictionary to a layer's activations on photographs.

    Autoencoders are trained with Adam, with a scheduled rate; their decoder rows have length 1, and latents that fire
    nowhere learn what the others leave. One photograph of ten is held out, and the dictionary's `record.notes` say how
    well it fits these: explained variance, L0, dead latents, loss recovered. On one machine the result is
    bitwise the same.

    Args:
      model: the network.
      layer: its name.
      photos: a folder, searched recursively, or an iterable of paths, PIL images or arrays.
      kind: `relu`, `topk`, `batch_topk`, `jump_relu`, `gated`, `matryoshka`, `pca`, `nmf`, `ica` or `k_means`; the last
        three need scikit-learn (`featviz[dictionaries]`).
      latents: how many; by default eight times the layer's units, or as many as it has for pca, nmf, ica and k_means.
      k: how many latents fire at a position: exactly (topk), on average (batch_topk, matryoshka), or what the weight of
        the penalty is regulated to (relu, gated); a penalty holds jump_relu near it. Factors and centers have none.
      steps: of the training.
      batch: positions a step.
      rate: the learning rate at its highest; by default 6e-4 / sqrt(latents / 2^14), and four times that, at most .01,
        for topk, batch_topk and matryoshka.
      positions: how many of each photograph, drawn without replacement; all by default.
      class_tokens: whether tokens without a place in the image are fitted to.
      high_norms: whether positions are fitted to whose norm is more than four times the median.
      size: pixels, or (height, width); by default that of the network's training.
      seed: of the first values, the drawn positions and their order.
      activations: a folder for activations and the training's state; the same call continues there after a Ctrl-C, and
        another kind takes the same activations. By default a temporary one.
      progress: whether to show progress bars.

    Raises:
      FeatvizError: for an unknown layer or kind, numbers out of range, too few photographs for the latents, or a folder
        that holds something else.

    References:
      Bricken et al. 2023; Gao et al. 2024; Rajamanoharan et al. 2024; Bussmann et al. 2024 and 2025.

    >>> import featviz as fv, numpy as np
    >>> photos = np.random.default_rng(0).random((40, 64, 64, 3))
    >>> fv.fit_dictionary(fv.load("patterns"), "conv1", photos, kind="pca", latents=4, progress=False)
    <Dictionary principal components, 20 units, 4 latents>
    """
    fit = Fit(kind, latents, k, steps, batch, rate, seed)
    sampling = Sampling(positions, class_tokens, high_norms, check_seed(seed))
    return fit_with_report(model, layer, photos, fit, sampling, size=size, activations=activations, progress=progress)[
        0
    ]


def fit_with_report(
    model: Model,
    layer: str,
    photos: PhotoInput,
    fit: Fit,
    sampling: Sampling,
    *,
    size: int | tuple[int, int] | None = None,
    activations: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Fitted:
    """The same, with how well it fits what was held out."""
    name = require_model(model).layer(layer).name
    units = model.layer(name).units
    fit = check_fit(fit, units)
    assert fit.latents is not None
    fires = fit.k if fit.kind in TRAINED else None
    source = find_photos(photos)
    if isinstance(source, Folder):
        # Known before anything is computed.
        sides = check_size(model.input.size if size is None else size, None)
        candidates = sampling.candidates(shapes_at(model, (name,), sides)[name], sides)
        each = len(sampling.draw(0, candidates))
        count = len(source.names) - len(source.names) // HELD_OUT_EVERY
        check_sufficiency(name, count * each, count, fit.latents, fires)
    with _folder(activations) as folder:
        store = harvest(model, name, photos, out=folder, sampling=sampling, size=size, progress=progress)
        done = store.attributes["done"] - len(store.faults())
        check_sufficiency(name, store.rows(TRAIN), done - done // HELD_OUT_EVERY, fit.latents, fires)
        code = fit_code(store, fit, progress=progress)
        report = report_fit(Dictionary(code), store)
        loss = held_out_loss(
            model,
            name,
            Dictionary(code),
            photos,
            size=tuple(store.attributes["size"]),
            class_tokens=sampling.class_tokens,
        )
        record = DictionaryRecord(
            model=model.name,
            layer=name,
            weights_sha256=store.attributes["network"]["weights_sha256"],
            notes=(*describe_positions(store), *describe_fit(fit), *describe_report(report, loss)),
        )
        return Fitted(Dictionary(code, record=record).check(), report, loss)


def fit_code(store: ActivationStore, fit: Fit, *, progress: bool = True) -> Code:
    """The code fitted to harvested activations; its training continues where it stopped.

    Args:
      store: of the activations.
      fit: what is fitted, checked.
      progress: whether to show a progress bar.
    """
    assert fit.latents is not None
    if fit.kind in CLASSIC:
        return CLASSIC[fit.kind].fit(store, fit.latents, fit.seed)
    rows = store.rows(TRAIN)
    settings = SaeSettings(
        kind=fit.kind,
        units=store.units,
        latents=fit.latents,
        k=fit.k,
        steps=fit.steps,
        batch=min(fit.batch, rows),
        rate=default_rate(fit.kind, fit.latents) if fit.rate is None else fit.rate,
        dead_after=min(DEAD_AFTER, rows),
        seed=fit.seed,
    )
    return train_sae(store, settings, checkpoints=store.path, progress=progress)


def check_fit(fit: Fit, units: int) -> Fit:
    """What is to be fitted to a layer, with the number of its latents.

    Raises:
      FeatvizError: for an unknown kind, or numbers out of range.

    >>> check_fit(Fit(), 192).latents, check_fit(Fit("pca"), 192).latents
    (1536, 192)
    """
    known = [*TRAINED, *CLASSIC]
    if fit.kind not in known:
        raise FeatvizError(f"`kind` is {fit.kind!r}; {suggest(str(fit.kind), known)}")
    classic = CLASSIC.get(fit.kind)
    default = units if classic else EXPANSION * units
    max_latents = units if classic and classic.complete else MAX_LATENTS
    latents = check_count("latents", default if fit.latents is None else fit.latents, 1, max_latents)
    if classic is None:
        check_count("k", fit.k, 1, latents)
        check_count("steps", fit.steps, 1, 10**9)
        check_count("batch", fit.batch, 1, 2**20)
        if fit.rate is not None and not 0 < fit.rate < float("inf"):
            raise FeatvizError(f"`rate` is {fit.rate}; expected a number above 0, such as 0.0005")
    return fit._replace(latents=latents)


def describe_positions(store: ActivationStore) -> tuple[tuple[str, str], ...]:
    """What the dictionary was fitted on, as notes of its record."""
    attributes = store.attributes
    norms, sampling = attributes["norms"], attributes["sampling"]
    high = norms["high"] / max(norms["seen"], 1)
    energy = norms["high_squares"] / max(norms["squares"], 1e-30)
    apart = f"one of {HELD_OUT_EVERY} held out"
    if not store.rows(HELD_OUT):
        apart = "none held out: the figures are of those that it was fitted to"
    return (
        ("photos", f"{attributes['done'] - len(store.faults())}, {apart}"),
        ("positions", str(store.rows(TRAIN))),
        ("class tokens", "fitted to" if sampling["class_tokens"] else "left out"),
        (
            "high norms",
            f"{high:.2%} of positions, with {energy:.1%} of the squared norm, "
            + ("fitted to" if sampling["high_norms"] else "left out"),
        ),
    )


def describe_fit(fit: Fit) -> tuple[tuple[str, str], ...]:
    """How it was fitted, as notes of its record."""
    if fit.kind in CLASSIC:
        return (("seed", str(fit.seed)),)
    return (("steps", f"{fit.steps} of {fit.batch} positions"), ("seed", str(fit.seed)))


def describe_report(report: FitReport, loss: LossRecovered | None) -> tuple[tuple[str, str], ...]:
    """How well it fits, as notes of its record."""
    recovered = () if loss is None else (("loss recovered", f"{loss.recovered:.4f}"),)
    return (
        *recovered,
        ("explained variance", f"{report.explained_variance:.4f}"),
        ("L0", f"{report.l0:.2f}"),
        ("dead latents", f"{report.dead:.2%}"),
        ("densities", report.densities),
    )


@contextmanager
def _folder(given: str | os.PathLike[str] | None) -> Iterator[Path]:
    if given is not None:
        yield Path(given)
        return
    with tempfile.TemporaryDirectory(prefix="featviz-") as folder:
        yield Path(folder) / "activations"
