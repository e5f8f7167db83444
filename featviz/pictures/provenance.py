"""Where a picture comes from: all that is needed to make it again, as plain JSON values."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jaxlib
import numpy as np
import optax
import scipy

from featviz.common.canonical import describe
from featviz.model import Model, hash_weights
from featviz.model.latent_layers import latent_layers
from featviz.objectives import Objective
from featviz.pictures.command import command_line
from featviz.pictures.file_names import class_name
from featviz.recipes import Recipe
from featviz.version import __version__
from featviz.zoo.weights.recorded_weights import recorded_weights


def describe_run(
    model: Model, recipe: Recipe, *, weights_sha256: str, size: tuple[int, int], steps: int, seed: int, dtype: str
) -> dict[str, Any]:
    """The provenance that all pictures of one call share: network, recipe, size, steps, seed, versions, machine."""
    return {
        **_describe_origin(model, weights_sha256),
        "recipe": describe(recipe),
        "size": list(size),
        "steps": steps,
        "seed": seed,
        "dtype": dtype,
    }


def describe_dream(
    model: Model, objective: Objective, dreaming: Any, *, weights_sha256: str, size: tuple[int, int]
) -> dict[str, Any]:
    """The provenance of a dream except its photo and seed. No command can remake it: the photo's path is unknown."""
    return {
        **_describe_origin(model, weights_sha256),
        "dream": dreaming,
        "size": list(size),
        "name": objective.label,
        "objective": describe(objective),
        "objective_sha256": objective.hash,
        "command": None,
    }


def _describe_origin(model: Model, weights_sha256: str) -> dict[str, Any]:
    """The versions, the network and the machine."""
    machine = describe_machine()
    return {
        "featviz": __version__,
        "versions": machine["versions"],
        "network": {
            "name": model.name,
            "weights": recorded_weights(model.source["weights"]) if "weights" in model.source else None,
            "weights_sha256": weights_sha256,
            "input": describe(model.input),
            **({"dictionaries": found} if (found := _describe_dictionaries(model)) else {}),
            **({"rgb": list(model.input.rgb)} if model.input.rgb else {}),
        },
        "device": machine["device"],
    }


def _describe_dictionaries(model: Model) -> list[dict[str, Any]]:
    """The layers of latents, from the last added to the first, each with the SHA-256 of its dictionary's arrays."""
    return [
        {"layer": apply.layer, "latents": apply.name, "dictionary_sha256": hash_weights(dictionary)}
        for apply, dictionary in latent_layers(model.apply, model.weights)
    ]


def describe_machine() -> dict[str, Any]:
    """This process's first `device`, and the `versions` of the libraries that its pixels depend on."""
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
    run: Mapping[str, Any],
    model: Model,
    objective: Objective,
    options: Sequence[str] | None,
    *,
    repeatable: bool = True,
) -> dict[str, Any]:
    """The provenance of one picture: its run, its objective, and the command that makes it again if `repeatable`.

    `options` are those of the recipe on the command line (`command.recipe_words`), the same for all pictures of a run.
    `class` is the name, with all its synonyms, of the class that the picture is about, if it has one.
    """
    named = class_name(model, objective)
    words = command_line(model.source, options, run, objective, class_label=named) if repeatable else None
    return {
        **run,
        "name": objective.label,
        **({"class": named} if named else {}),
        "objective": describe(objective),
        "objective_sha256": objective.hash,
        "command": words,
    }
