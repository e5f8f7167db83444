"""The arms of `evidence.py`: who draws the pictures, the size at which they are evaluated, seconds a step."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import featviz as fv
from featviz.surveys.survey import Survey

HERE = Path(__file__).resolve().parent
# Of lucent's 512 steps, and featviz's default's 128, also the pictures after fewer and more.
LUCENT_STEPS = (32, 64, 128, 256, 512)
FEATVIZ_STEPS = (32, 128, 512)
# horama's own 256 steps, and about as many as take the time of featviz's default; on half of its canvas's side, where
# four crops show as much of it as six do of the whole.
MACO_STEPS = (8, 256)
MACO = {"size": 448, "crops": 4}
Units = Mapping[str, list[int]]


@dataclass(frozen=True)
class Arm:
    """Pictures in `folder`, resized to `evaluated_at` px for the network if that is not None.

    `pace` names the system whose seconds a step of a picture, times `steps`, are what a picture costs. featviz's arms
    have a recipe and a size, and may combine units with their best photographs (`exemplars`). An arm draws every
    `every`-th unit.
    """

    name: str
    folder: str
    pace: str
    steps: int
    evaluated_at: int | None = None
    every: int = 1
    recipe: fv.recipes.Recipe = fv.recipes.default
    size: int = 128
    exemplars: bool = False

    def units(self, units: Units) -> dict[str, list[int]]:
        """The units that this arm draws: all, or every `every`-th one."""
        return {layer: chosen[:: self.every] for layer, chosen in units.items()}

    def images(self, out: Path, layer: str, units: list[int]) -> dict[int, list[np.ndarray]]:
        """Its pictures of a layer at the size at which the network gets them, uint8 (h, w, 3)."""
        return {unit: [self._load(out / self.folder / f"{layer}-{unit}.png")] for unit in units[:: self.every]}

    def _load(self, path: Path) -> np.ndarray:
        with Image.open(path) as image:
            pixels = image.convert("RGB")
        size = self.evaluated_at
        return np.asarray(pixels.resize((size, size), Image.Resampling.BILINEAR) if size else pixels)

    def complete(self, out: Path, units: Units) -> bool:
        """Whether all its pictures exist."""
        chosen = self.units(units).items()
        return all((out / self.folder / f"{layer}-{unit}.png").exists() for layer, part in chosen for unit in part)


def featviz_arms() -> list[Arm]:
    base = fv.recipes.default
    steps = [
        Arm(f"default {count}", f"default-{count}", "default", count, recipe=replace(base, steps=count))
        for count in FEATVIZ_STEPS
    ]
    return [
        *steps,
        Arm("default 224 px", "default-224px", "default 224 px", base.steps, size=224),
        Arm("lucid", "lucid", "lucid", fv.recipes.lucid.steps, recipe=fv.recipes.lucid),
        Arm("exemplars", "exemplars", "default", base.steps, exemplars=True),
    ]


def choices() -> list[Arm]:
    """What the default could have been: one thing changed at a time."""
    base = fv.recipes.default
    (affine,) = base.transforms
    changed = {
        "default": base,
        "32 steps": replace(base, steps=32),
        "512 steps": replace(base, steps=512),
        "decay 1": replace(base, parameterization=replace(base.parameterization, decay=1.0)),
        "decay 2": replace(base, parameterization=replace(base.parameterization, decay=2.0)),
        "no fading": replace(base, transforms=(replace(affine, end=1.0),)),
        "twice as far": replace(base, transforms=(replace(affine, scales=(0.8, 1.2), degrees=(-20.0, 20.0)),)),
    }
    arms = [
        Arm(name, f"choice-{name.replace(' ', '-')}", "default", recipe.steps, recipe=recipe)
        for name, recipe in changed.items()
    ]
    return [*arms, Arm("224 px", "choice-224px", "default 224 px", base.steps, size=224)]


def peers_arms() -> list[Arm]:
    lucent = [Arm(f"lucent {count}", f"lucent/{count}", "lucent", count, evaluated_at=224) for count in LUCENT_STEPS]
    return [*lucent, *maco_arms()]


def maco_arms() -> list[Arm]:
    return [Arm(f"MACO {count}", f"maco/{count}", "MACO", count, every=2) for count in MACO_STEPS]


def draw_featviz(arm: Arm, model: fv.Model, survey: Survey, units: Units, out: Path) -> None:
    """Renders an arm of featviz."""
    for layer, chosen in arm.units(units).items():
        objectives: Any = fv.exemplars(survey, layer, chosen) if arm.exemplars else fv.channel(layer, chosen)
        pictures = fv.render(model, objectives, recipe=arm.recipe, size=arm.size, progress=False)
        (out / arm.folder).mkdir(parents=True, exist_ok=True)
        for unit, picture in zip(chosen, pictures, strict=True):
            picture.save(out / arm.folder / f"{layer}-{unit}.png")


def peers_words(system: str, python: str, weights: Path, layer: str, units: list[int], out: Path,
                *, network: str = "googlenet") -> list[str]:  # fmt: skip
    words = [python, str(HERE / "peers_torch.py"), system, "--network", network, "--weights", str(weights), "--layer",
             layer, "--units", ",".join(map(str, units)), "--channels-last", "--out", str(out)]  # fmt: skip
    if system == "horama-maco":
        words += ["--spectrum", str(weights.parent / "natural_spectrum.npy")]
        words += ["--size", str(MACO["size"]), "--crops", str(MACO["crops"])]
    return words


def draw_peers(python: str, weights: Path, units: Units, out: Path) -> None:
    """Renders lucent's and horama's arms, a layer a process; existing pictures are kept."""
    lucent = [arm for arm in peers_arms() if arm.pace == "lucent"]
    for layer, chosen in units.items():
        if not all(arm.complete(out, {layer: chosen}) for arm in lucent):
            (out / "lucent").mkdir(parents=True, exist_ok=True)
            words = peers_words("lucent-batch", python, weights, layer, chosen, out / "lucent")
            few = ",".join(map(str, LUCENT_STEPS[:-1]))
            run_peer([*words, "--steps", str(LUCENT_STEPS[-1]), "--checkpoints", few], out / "lucent")
        for maco in maco_arms():
            if not maco.complete(out, {layer: chosen}):
                folder = out / maco.folder
                folder.mkdir(parents=True, exist_ok=True)
                words = peers_words("horama-maco", python, weights, layer, chosen[:: maco.every], folder)
                run_peer([*words, "--steps", str(maco.steps)], folder)


def run_peer(words: list[str], folder: Path) -> dict[str, Any]:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"failed: {' '.join(words)}\n{done.stderr[-2000:]}")
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


def measure_paces(model: fv.Model, layer: str, units: list[int], python: str | None, weights: Path, out: Path,
                  *, rounds: int) -> dict[str, float]:  # fmt: skip
    """Seconds of a step of one picture for each system, the median of rounds in which they take turns."""

    def featviz(**options: Any) -> Callable[[], float]:
        def seconds() -> float:
            started = time.perf_counter()
            fv.render(model, fv.channel(layer, units), progress=False, steps=16, **options)
            return time.perf_counter() - started

        def pace() -> float:
            seconds()  # compiled, and the caches filled
            return seconds() / (16 * len(units))

        return pace

    def peer(system: str, chosen: list[int], steps: int) -> Callable[[], float]:
        def pace() -> float:
            scratch = out / "pace"
            scratch.mkdir(exist_ok=True)
            words = [*peers_words(system, str(python), weights, layer, chosen, scratch), "--steps", str(steps)]
            return float(run_peer(words, scratch)["step_ms"]) / 1e3

        return pace

    systems = {
        "default": featviz(),
        "default 224 px": featviz(size=224),
        "lucid": featviz(recipe=fv.recipes.lucid, size=128),
    }
    if python:
        systems |= {"lucent": peer("lucent-batch", units, 12), "MACO": peer("horama-maco", units[:1], 24)}
    paces: dict[str, list[float]] = {name: [] for name in systems}
    for _ in range(rounds):
        for name, pace in systems.items():
            paces[name].append(pace())
    return {name: float(np.median(values)) for name, values in paces.items()}
