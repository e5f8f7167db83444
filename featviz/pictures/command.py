"""The command line that makes a picture again."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from featviz.ascent import Convergence
from featviz.common.canonical import describe
from featviz.model import Model
from featviz.objectives import Objective
from featviz.pictures.file_names import class_name, file_stem
from featviz.recipes import RECIPES, Recipe
from featviz.regularizers import Fidelity
from featviz.regularizers.penalties.image_penalties import PENALTIES


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
    target = objective.target
    network = network_words(source)
    if target is None or options is None or network is None:
        return None
    words = ["featviz", "render", network[0], target, *network[1:]]
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
