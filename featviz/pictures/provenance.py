"""Where a picture comes from: all that is needed to make it again, as plain JSON values."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

import jax
import jaxlib
import numpy as np
import optax
import scipy

from featviz.ascent import Convergence
from featviz.common.canonical import describe
from featviz.model import Model
from featviz.objectives import Objective
from featviz.objectives.layers import MeanSquare
from featviz.objectives.positions import Patches
from featviz.objectives.units import Channel, Logit, Neuron
from featviz.recipes import RECIPES, Recipe
from featviz.regularizers import Fidelity
from featviz.regularizers.penalties.image_penalties import PENALTIES
from featviz.version import __version__


def describe_run(
    model: Model, recipe: Recipe, *, weights_sha256: str, size: tuple[int, int], steps: int, seed: int, dtype: str
) -> dict[str, Any]:
    """What the pictures of one call share: network, recipe, size, steps, seed, versions, machine."""
    return {
        **_describe_place(model, weights_sha256),
        "recipe": describe(recipe),
        "size": list(size),
        "steps": steps,
        "seed": seed,
        "dtype": dtype,
    }


def describe_dream(
    model: Model, objective: Objective, dreaming: Any, *, weights_sha256: str, size: tuple[int, int]
) -> dict[str, Any]:
    """The provenance of a dream but for its photo and seed; no command knows where the photo lies."""
    return {
        **_describe_place(model, weights_sha256),
        "dream": dreaming,
        "size": list(size),
        "name": objective.label,
        "objective": describe(objective),
        "objective_sha256": objective.hash,
        "command": None,
    }


def _describe_place(model: Model, weights_sha256: str) -> dict[str, Any]:
    """The versions, the network and the machine."""
    machine = describe_machine()
    return {
        "featviz": __version__,
        "versions": machine["versions"],
        "network": {
            "name": model.name,
            "weights": PurePath(model.source["weights"]).name if "weights" in model.source else None,
            "weights_sha256": weights_sha256,
            "input": describe(model.input),
        },
        "device": machine["device"],
    }


def describe_machine() -> dict[str, Any]:
    """What draws in this process: its first `device`, and the `versions` of the libraries that the pixels come from."""
    device = jax.devices()[0]
    return {
        "device": {"platform": device.platform, "kind": device.device_kind},
        "versions": {
            "jax": jax.__version__,
            "jaxlib": jaxlib.__version__,
            "numpy": np.__version__,
            "optax": optax.__version__,
            "scipy": scipy.__version__,
        },
    }


def describe_picture(
    run: Mapping[str, Any], model: Model, objective: Objective, recipe: Recipe, *, repeatable: bool = True
) -> dict[str, Any]:
    """The provenance of one picture: its run, its objective, and the command that makes it again if `repeatable`.

    A picture of a class that has a name says it, with all its synonyms, as `class`.
    """
    named = class_name(model, objective)
    return {
        **run,
        "name": objective.label,
        **({"class": named} if named else {}),
        "objective": describe(objective),
        "objective_sha256": objective.hash,
        "command": command(run, model, objective, recipe) if repeatable else None,
    }


def command(run: Mapping[str, Any], model: Model, objective: Objective, recipe: Recipe) -> str | None:
    """The command line that makes a picture again, or None where no command can.

    Files stand in it by their base names, never by a path.
    """
    return command_line(model.source, recipe_words(recipe), run, objective, named=class_name(model, objective))


def command_line(
    source: Mapping[str, str],
    options: Sequence[str] | None,
    run: Mapping[str, Any],
    objective: Objective,
    *,
    more: Sequence[str] = (),
    named: str = "",
) -> str | None:
    """The same from a model's source and the recipe's options; `more` come last, `named` is the class's name."""
    name = target(objective)
    network = network_words(source)
    if name is None or options is None or network is None:
        return None
    words = ["featviz", "render", network[0], name, *network[1:]]
    height, width = run["size"]
    size = str(height) if height == width else f"{height}x{width}"
    words += [*options, "--size", size, "--steps", str(run["steps"]), "--seed", str(run["seed"])]
    words += ["--dtype", run["dtype"]] if run["dtype"] != "float32" else []
    return shlex.join([*words, *more, "-o", file_stem(objective, named=named) + ("" if more else ".png")])


def network_words(source: Mapping[str, str]) -> list[str] | None:
    """MODEL on the command line and what goes with it, files by their base names; None where it has no name.

    >>> network_words({"model": "/data/net.onnx", "input": "224,nchw"})
    ['net.onnx', '--input', '224,nchw']
    """
    if "model" not in source:
        return None
    words = [source["model"] if ":" in source["model"] else PurePath(source["model"]).name]
    words += ["--weights", PurePath(source["weights"]).name] if "weights" in source else []
    return words + (["--input", source["input"]] if "input" in source else [])


def recipe_words(recipe: Recipe) -> list[str] | None:
    """The command line's options that name a recipe, with what differs from the one of that name; None if none do."""
    return next((found for name in RECIPES if (found := recipe_options(name, recipe)) is not None), None)


def recipe_options(name: str, recipe: Recipe) -> list[str] | None:
    """The command line's options that make the recipe of that name into this one, or None if none do.

    >>> recipe_options("lucid", replace(RECIPES["lucid"], penalty=-0.5 * PENALTIES["tv"]))
    ['--recipe', 'lucid', '--penalty', 'tv=0.5']
    """
    named = RECIPES[name]
    own = {field: getattr(recipe, field) for field in ("convergence", "fidelity", "penalty", "transparency")}
    if describe(replace(named, **own)) != describe(recipe):
        return None
    options = ["--recipe", name]
    if recipe.convergence != named.convergence:
        if recipe.convergence != Convergence():
            return None
        options.append("--converge")
    if recipe.transparency != named.transparency:
        options.append("--transparency" if recipe.transparency else "--no-transparency")
    if recipe.fidelity != named.fidelity:
        held = recipe.fidelity or Fidelity(0.0)
        if held.layer is not None:
            return None
        options += ["--fidelity", f"{held.weight:.9g}"]
    if describe(recipe.penalty) != describe(named.penalty):
        for term, weight in zip(recipe.penalty.terms, recipe.penalty.weights, strict=True) if recipe.penalty else ():
            word = next((w for w, known in PENALTIES.items() if describe(known.terms[0]) == describe(term)), None)
            if word is None or named.penalty is not None or not weight < 0:
                return None
            options += ["--penalty", f"{word}={-float(weight):.9g}"]
        if recipe.penalty is None:
            return None
    return options


def target(objective: Objective) -> str | None:
    """The objective as the command line writes it (`inception_4c:103`), or None if it cannot.

    >>> from featviz.objectives import channel, neuron
    >>> target(neuron("conv1", 3, position=(1, 2))), target(-channel("conv1", 3)), target(2.0 * channel("conv1", 3))
    ('conv1:3@1x2', 'conv1:-3', None)
    """
    if len(objective.terms) != 1:
        return None
    term, weight = objective.terms[0], float(objective.weights[0])
    if weight == 1.0 and isinstance(term, Channel | Neuron | Patches | Logit | MeanSquare):
        return term.label
    if weight == -1.0 and isinstance(term, Channel | Neuron | Patches | Logit):
        layer, _, unit = term.label.rpartition(":")
        return f"{layer}:-{unit}"
    return None


def class_name(model: Model, objective: Objective) -> str:
    """The name, with its synonyms, of the class that an objective is of, where the model's classes have names; else "".

    >>> import featviz as fv
    >>> class_name(fv.load("patterns"), fv.logit(23)), class_name(fv.load("patterns"), fv.channel("conv1", 3))
    ('clockwise spiral', '')
    """
    term = objective.terms[0]
    if len(objective.terms) != 1 or not isinstance(term, Logit) or not 0 <= int(term.unit) < len(model.classes):
        return ""
    return model.classes[int(term.unit)]


def file_stem(objective: Objective, *, named: str = "") -> str:
    """A file name for an objective, without extension: its label with only safe characters, then the class's `named`.

    >>> from featviz.objectives import channel, logit
    >>> file_stem(channel("mixed/3x3", 7)), file_stem(-channel("mixed/3x3", 7))
    ('mixed-3x3-7', 'mixed-3x3-7-negative')
    >>> file_stem(logit(1), named="goldfish, Carassius auratus"), file_stem(-logit(1), named="goldfish")
    ('logit-1-goldfish', 'logit-1-goldfish-negative')
    """
    stem = "-".join(part for part in (_safe(objective.label) or "picture", _safe(named.partition(",")[0])[:40]) if part)
    stem += "-negative" if objective.label.startswith("-") else ""
    return stem if len(stem) <= 80 else f"{stem[:64]}-{objective.hash[:12]}"


def _safe(text: str) -> str:
    """The text with a - in place of what not every file system takes."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "._@^") else "-" for c in text).strip("-.")
