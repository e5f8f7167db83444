"""The arms of `natural_pictures.py`: recipes by name and lucent, single pictures and sets of them, drawn once."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from evidence_arms import peers_words, run_peer
from PIL import Image

import featviz as fv
from featviz.errors import FeatvizError
from featviz.priors.loading import load_denoiser
from featviz.rendering.draw import render_groups
from featviz.rendering.request import make_request

LUCENT = "lucent"
# MACO in about the time of the default: a canvas of 448 px, of which four crops of 224 px are seen in each of 16 steps.
MACO = replace(fv.recipes.maco_2023, samples=4, steps=16, size=448)
# What a network of tokens gets, with a prior.
TRANSFORMER = fv.recipes.transformer
COMPOSED = {
    "maco": MACO,
    "transformer_denoised": replace(fv.recipes.denoised, transforms=TRANSFORMER.transforms, size=None),
    "transformer_guided": replace(fv.recipes.guided, transforms=TRANSFORMER.transforms, size=None),
}
# Network -> the layer that has the classes in PyTorch (`torch_networks.py`).
LUCENT_CLASSES = {"googlenet": "loss3_classifier", "squeezenet1_1": "logits", "deit_tiny": "head"}
# Pictures of one of its processes, which are saved when it ends.
LUCENT_BATCH = 8
# How many pictures of a unit are a set; seeds of the smaller are the first of the larger one.
SET_SIZES = (4, 9)
SEEDS, DIVERSE, FACETS, STARTED = "seeds", "diverse", "facets", "started"
# Facets that begin at photographs take a quarter of the steps.
STARTED_STEPS = 4


@dataclass(frozen=True)
class Arm:
    """A way to draw pictures: a recipe at a size, or None for lucent, of which all pictures are enlarged to 224 px.

    With `top` the mean of a unit over so many tokens, those where it is largest, takes the place of that over all.
    """

    name: str
    recipe: fv.Recipe | None
    steps: int
    size: int
    top: int = 0

    def load(self, path: Path) -> np.ndarray:
        """A picture as its network sees it, uint8 (h, w, 3)."""
        with Image.open(path) as file:
            image = file.convert("RGB")
        return np.asarray(image if self.recipe else image.resize((224, 224), Image.Resampling.BILINEAR))


def find_arm(text: str, *, size: int, prior: Path | None, trained_size: int = 224) -> Arm:
    """The arm of a name: a recipe's, `lucent`, or one of `COMPOSED`.

    After it may stand its steps, as `lucent@64`, the share of its prior, as `denoised~0.1`, and `top`, as
    `transformer+16`. A recipe without a size draws at the size of the network's training.

    Raises: FeatvizError if there is no such recipe, or no denoiser for it.
    """
    rest, _, top = text.partition("+")
    head, _, share = rest.partition("~")
    name, _, steps = head.partition("@")
    if name == LUCENT:
        return Arm(text, None, int(steps or 512), 128)
    recipe = COMPOSED[name] if name in COMPOSED else fv.recipes.by_name(name)
    if recipe.prior is not None:
        changed = replace(recipe.prior, file=None if prior is None else str(prior))
        recipe = replace(recipe, prior=replace(changed, natural=float(share)) if share else changed)
        load_denoiser(changed.file, 3)
    count = int(steps or recipe.steps)
    own = trained_size if recipe.size is None else recipe.size if name == "maco" else size
    return Arm(text, recipe, count, own, int(top or 0))


def objective_of(layer: str, unit: int, top: int) -> fv.Objective:
    """A unit's channel; with `top` its mean over so many patch tokens, the first token being the class token."""
    return fv.strongest(layer, unit, count=top, class_tokens=1) if top else fv.channel(layer, unit)


def draw(arm: Arm, model: fv.Model, objectives: Mapping[str, fv.Objective], folder: Path, *, seed: int = 0) -> None:
    """Renders the pictures of an arm that the folder lacks, by file name; each is saved as soon as it is finished."""
    missing = {stem: objective for stem, objective in objectives.items() if not (folder / f"{stem}.png").exists()}
    draw_groups(arm, model, {stem: (objective, [stem]) for stem, objective in missing.items()}, folder, seed=seed)


def draw_groups(
    arm: Arm,
    model: fv.Model,
    groups: Mapping[str, tuple[fv.Objective, list[str]]],
    folder: Path,
    *,
    seed: int = 0,
    starts: Sequence[np.ndarray] | None = None,
) -> None:
    """Renders groups of pictures of one size each: name -> the objective and the pictures' file names.

    Args:
      starts: an image for each picture, those of a group one after another.
    """
    if not groups:
        return
    folder.mkdir(parents=True, exist_ok=True)
    names, members = list(groups), len(next(iter(groups.values()))[1])
    request = make_request(
        model,
        [groups[name][0] for name in names],
        recipe=arm.recipe,
        size=arm.size,
        steps=arm.steps,
        seed=seed,
        start=starts,
        group_size=members,
        progress=False,
    )
    finished = []
    for index, pictures in render_groups(request):
        for stem, picture in zip(groups[names[index]][1], pictures, strict=True):
            picture.save(folder / f"{stem}.png")
        finished.append((time.perf_counter(), time.process_time()))
    print(f"{folder.name}: {len(names) * members} pictures", file=sys.stderr, flush=True)
    # The first pictures wait for the compilation, two at a time on a CPU.
    if len(finished) > 3:
        wall, processor = (np.array(finished[-1]) - np.array(finished[1])) / ((len(finished) - 2) * members)
        store_seconds(folder, float(wall), float(processor))


def draw_lucent(
    arm: Arm, python: str, network: str, weights: Path, layer: str, units: Sequence[int], folder: Path
) -> None:
    """lucent's pictures of a layer's channels, those that the folder lacks; named by `unit_stem`."""
    missing = [unit for unit in units if not (folder / f"{unit_stem(layer, unit)}.png").exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for first in range(0, len(missing), LUCENT_BATCH):
        batch = missing[first : first + LUCENT_BATCH]
        module = layer.replace("/", "_")
        words = peers_words("lucent-batch", python, weights, module, batch, folder, network=network)
        report = run_peer([*words, "--steps", str(arm.steps)], folder)
        store_seconds(folder, *(float(report[name]) / 1e3 * arm.steps for name in ("step_ms", "step_cpu_ms")))
        print(f"{folder.name}: {len(batch)} pictures", file=sys.stderr, flush=True)


def store_seconds(folder: Path, wall: float, processor: float) -> None:
    """Keeps the seconds of a picture in its folder."""
    (folder / "seconds.json").write_text(json.dumps({"wall": wall, "processor": processor}))


def read_seconds(folder: Path) -> tuple[float, float]:
    """Seconds of a picture by the clock and of processors, compilation apart; nan if they are not known."""
    path = folder / "seconds.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    return kept.get("wall", float("nan")), kept.get("processor", float("nan"))


def unit_stem(layer: str, unit: int, member: int | None = None) -> str:
    """The file name of a unit's picture, or of one of a set."""
    return f"{layer.replace('/', '_')}-{unit}" + ("" if member is None else f"-{member}")


def draw_set(
    kind: str, size: int, arm: Arm, model: fv.Model, survey: fv.Survey, units: Mapping[str, list[int]], out: Path
) -> None:
    """Renders a set of `size` pictures of each unit: by seeds, by difference, as facets from noise or photographs."""
    folder = set_folder(kind, size, arm, out)
    if kind == SEEDS:
        for layer, chosen in units.items():
            for seed in range(size):
                objectives = {unit_stem(layer, unit, seed): fv.channel(layer, unit) for unit in chosen}
                draw(arm, model, objectives, folder, seed=seed)
        return
    make: dict[str, Callable[[str, int], fv.Objective]] = {
        DIVERSE: lambda layer, unit: fv.diverse(fv.channel(layer, unit)),
        FACETS: lambda layer, unit: fv.facets(survey, layer, unit, count=size),
        STARTED: lambda layer, unit: fv.facets(survey, layer, unit, count=size),
    }
    for layer, chosen in units.items():
        groups = {}
        for unit in chosen:
            stems = [unit_stem(layer, unit, member) for member in range(size)]
            if not all((folder / f"{stem}.png").exists() for stem in stems):
                groups[unit_stem(layer, unit)] = (make[kind](layer, unit), stems)
        if kind == STARTED:
            drawn = [unit for unit in chosen if unit_stem(layer, unit) in groups]
            starts = [
                image for unit in drawn for image in fv.facet_starts(survey, layer, unit, count=size, size=arm.size)
            ]
            draw_groups(replace(arm, steps=arm.steps // STARTED_STEPS), model, groups, folder, starts=starts)
        else:
            draw_groups(arm, model, groups, folder)


def set_folder(kind: str, size: int, arm: Arm, out: Path) -> Path:
    """Where a set's pictures are; seeds of all sizes share one folder."""
    return out / "sets" / f"{kind}-{arm.name}" if kind == SEEDS else out / "sets" / f"{kind}{size}-{arm.name}"


def available_arms(texts: Sequence[str], *, size: int, prior: Path | None, peers: bool) -> Iterator[Arm]:
    """The arms of these names that can be drawn; says why others cannot."""
    for text in texts:
        try:
            arm = find_arm(text, size=size, prior=prior)
        except FeatvizError as error:
            print(f"without {text}: {error}", file=sys.stderr, flush=True)
            continue
        if arm.recipe is None and not peers:
            print(f"without {text}: it needs --peers-python", file=sys.stderr, flush=True)
            continue
        yield arm
