"""The command line that makes a picture again."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from featviz.ascent import Convergence
from featviz.common.canonical import describe
from featviz.objectives import Objective
from featviz.pictures.file_names import file_stem
from featviz.recipes import RECIPES, Recipe
from featviz.regularizers import PENALTIES, Fidelity
from featviz.zoo.weights.recorded_weights import recorded_weights


def command_line(
    source: Mapping[str, str],
    options: Sequence[str] | None,
    run: Mapping[str, Any],
    objective: Objective,
    *,
    more: Sequence[str] = (),
    class_label: str = "",
) -> str | None:
    """The command line that makes a picture again; None if the model, the recipe or the objective has no words.

    Files stand in it by their base names, never by a path.

    Args:
      source: `Model.source`.
      options: what `recipe_words` gives.
      run: what `provenance.describe_run` says of the run.
      objective: what the picture maximizes.
      more: options to add at the end; with them the output is a folder.
      class_label: the name of the class that the objective is about, for the file's name.
    """
    target = objective.target
    network = network_words(source)
    if target is None or options is None or network is None:
        return None
    words = ["featviz", "render", network[0], target, *network[1:]]
    height, width = run["size"]
    size = str(height) if height == width else f"{height}x{width}"
    words += [*options, "--size", size, "--steps", str(run["steps"]), "--seed", str(run["seed"])]
    words += ["--dtype", run["dtype"]] if run["dtype"] != "float32" else []
    suffix = "" if more else ".png"
    return shlex.join([*words, *more, "-o", file_stem(objective, class_label=class_label) + suffix])


def network_words(source: Mapping[str, str]) -> list[str] | None:
    """MODEL on the command line with its options, files by their base names; None for a model of the user's own making.

    >>> network_words({"model": "/data/net.onnx", "input": "224,nchw"})
    ['net.onnx', '--input', '224,nchw']
    >>> network_words({"model": "net.onnx", "fixed": "meta=/data/meta.npy"})
    ['net.onnx', '--fixed', 'meta=meta.npy']
    >>> network_words({"model": "vit_tiny", "weights": "hf-hub:lab/vit"})
    ['vit_tiny', '--weights', 'hf-hub:lab/vit']
    """
    if "model" not in source:
        return None
    words = [source["model"] if ":" in source["model"] else PurePath(source["model"]).name]
    words += ["--weights", recorded_weights(source["weights"])] if "weights" in source else []
    words += ["--input", source["input"]] if "input" in source else []
    for option in ("fixed", "dictionary"):
        for assignment in shlex.split(source.get(option, "")):
            name, _, file = assignment.rpartition("=")
            words += [f"--{option}", f"{name}={PurePath(file).name}"]
    for edit in shlex.split(source.get("edit", "")):
        words += ["--edit", edit]
    return words


def recipe_words(recipe: Recipe) -> list[str] | None:
    """The options that name a recipe and what differs from the published one of that name; None if none can."""
    candidates = (recipe_options(name, recipe) for name in RECIPES)
    return next((options for options in candidates if options is not None), None)


def recipe_options(name: str, recipe: Recipe) -> list[str] | None:
    """The options that make the published recipe of that name into this one, or None if no options can.

    >>> recipe_options("lucid", replace(RECIPES["lucid"], penalty=-0.5 * PENALTIES["tv"]))
    ['--recipe', 'lucid', '--penalty', 'tv=0.5']
    """
    published = RECIPES[name]
    optional = {
        field: getattr(recipe, field) for field in ("convergence", "fidelity", "penalty", "prior", "transparency")
    }
    if describe(replace(published, **optional)) != describe(recipe):
        return None
    parts = (
        _convergence_options(published, recipe),
        _transparency_options(published, recipe),
        _fidelity_options(published, recipe),
        _prior_options(published, recipe),
        _penalty_options(published, recipe),
    )
    options = ["--recipe", name]
    for part in parts:
        if part is None:
            return None
        options += part
    return options


def _convergence_options(published: Recipe, recipe: Recipe) -> list[str] | None:
    if recipe.convergence == published.convergence:
        return []
    return ["--converge"] if recipe.convergence == Convergence() else None


def _transparency_options(published: Recipe, recipe: Recipe) -> list[str]:
    if recipe.transparency == published.transparency:
        return []
    return ["--transparency" if recipe.transparency else "--no-transparency"]


def _fidelity_options(published: Recipe, recipe: Recipe) -> list[str] | None:
    if recipe.fidelity == published.fidelity:
        return []
    fidelity = recipe.fidelity or Fidelity(0.0)
    return ["--fidelity", f"{fidelity.weight:.9g}"] if fidelity.layer is None else None


def _prior_options(published: Recipe, recipe: Recipe) -> list[str] | None:
    ours, theirs = recipe.prior, published.prior
    if ours == theirs:
        return []
    if theirs is None or (ours is not None and replace(theirs, natural=ours.natural, file=ours.file) != ours):
        return None
    # Without one, as where it has no share.
    natural = 0.0 if ours is None else ours.natural
    if ours is None and not replace(theirs, natural=0.0).is_idle:
        return None
    options = ["--natural", f"{natural:.9g}"] if natural != theirs.natural else []
    return [*options, "--prior", PurePath(ours.file).name] if ours is not None and ours.file is not None else options


def _penalty_options(published: Recipe, recipe: Recipe) -> list[str] | None:
    if describe(recipe.penalty) == describe(published.penalty):
        return []
    # The command line adds penalties, and takes none away.
    if recipe.penalty is None or published.penalty is not None:
        return None
    options = []
    for term, weight in zip(recipe.penalty.terms, recipe.penalty.weights, strict=True):
        name = next((key for key, known in PENALTIES.items() if describe(known.terms[0]) == describe(term)), None)
        if name is None or not weight < 0:
            return None
        options += ["--penalty", f"{name}={-float(weight):.9g}"]
    return options
