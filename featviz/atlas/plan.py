"""The plan of an atlas: which units get which pictures, in which order."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax
from jax.typing import DTypeLike

from featviz.ascent import VERSION
from featviz.atlas.facet_objectives import FACETS, MAX_FACETS, facet_photos
from featviz.atlas.series import PlannedSeries, Series, Task
from featviz.atlas.unit_selection import Units, format_units, select_units
from featviz.common.canonical import digest
from featviz.common.safe_names import distinct_names
from featviz.model import Model, hash_architecture, hash_weights, require_model
from featviz.model.layer_patterns import choose_layers
from featviz.model.shapes import shapes_at
from featviz.objectives import channel
from featviz.pages.records import Role
from featviz.pictures.command import network_words, recipe_words
from featviz.pictures.provenance import describe_run
from featviz.recipes import Recipe, default_size, expand_stages, resolve
from featviz.rendering.checks import Size, check_count, check_dtype, check_objectives, check_size
from featviz.surveys.facet_starts import can_start, started_steps
from featviz.surveys.survey import Survey, check_survey


@dataclass(frozen=True)
class Plan:
    """All tasks of an atlas in their order, the main pictures of all layers first.

    Attributes:
      tasks: what to render.
      attributes: the path of each series -> what its pictures share, as the store keeps it.
      layer_order: the index of each layer in the network.
      command: the command that makes this plan, or None if no command does.
    """

    tasks: tuple[Task, ...]
    attributes: Mapping[str, Mapping[str, object]]
    layer_order: Mapping[str, int]
    command: str | None

    @property
    def revision(self) -> str:
        """The hash of the network, recipe, size, steps and seed. Plans of one revision are parts of one atlas."""
        main = self.tasks[0].series
        return digest({**main.identity, "seed": main.seed})

    def to_json(self) -> dict[str, object]:
        """The plan as the store keeps it."""
        planned = [
            PlannedSeries(
                task.path,
                task.series.layer,
                self.layer_order[task.series.layer],
                task.series.role,
                task.series.seed,
                task.units,
            )
            for task in self.tasks
        ]
        return {"revision": self.revision, "series": [series.to_json() for series in planned]}


def make_plan(
    model: Model,
    *,
    layers: Sequence[str] | None,
    units: Units | None,
    full: Sequence[str] | None,
    recipe: Recipe | str | None,
    size: Size | None,
    steps: int | None,
    seed: int,
    dtype: DTypeLike | None,
    facets: int | None = None,
    survey: Survey | None = None,
    machine: Mapping[str, object] | None = None,
) -> Plan:
    """The main picture of every selected unit, and all other roles for the units of `full` layers.

    Args:
      model: the network.
      layers, units, full, recipe, size, steps, seed, dtype, facets, survey: as in `build_atlas`.
      machine: the `device` and `versions` of the machine that renders; by default those of this process.

    Raises:
      FeatvizError: for a pattern that matches no layer, a unit that no layer has, an invalid option, or a survey of
        another network.
    """
    chosen = choose_layers(require_model(model), layers)
    check_survey(survey, model)
    full_layers = set(
        chosen if full is None else choose_layers(model, full, among=chosen, option="full") if full else ()
    )
    selected = select_units(model, chosen, units)
    seed = check_count("seed", seed, 0, 2**32 - 1)
    facets = None if facets is None else check_count("facets", facets, 0, MAX_FACETS)
    recipe = resolve(recipe, model)
    height, width = check_size(default_size(model, recipe, tuple(chosen)) if size is None else size, None)
    steps = check_count("steps", recipe.steps if steps is None else steps, 1, 1_000_000)
    steps = sum(stage.steps for stage, _ in expand_stages(recipe, (height, width), steps))
    dtype = check_dtype(dtype)
    check_objectives(model, [channel(layer, 0) for layer in chosen], (1, height, width, model.input.channels))
    weights, computation = hash_weights(model.weights), describe_computation(model, (height, width))
    shapes = shapes_at(model, chosen, (height, width))
    folders = distinct_names(layer.name for layer in model.layers)
    run = describe_run(
        model, recipe, weights_sha256=weights, size=(height, width), steps=steps, seed=seed, dtype=dtype
    ) | dict(machine or {})
    fewer = started_steps(steps) if can_start(recipe) else 0
    main: list[Task] = []
    others: list[Task] = []
    for layer in chosen:
        is_full = layer in full_layers
        counts = {Role.MAIN: 1, Role.FACET: facets if facets is not None else FACETS if is_full else 0}
        counts |= {Role.NEGATIVE: 1} if is_full else {}
        counts |= {Role.CENTER: 1} if is_full and len(shapes[layer]) == 3 else {}
        for role, count in counts.items():
            if not count:
                continue
            photos = facet_photos(survey, layer, steps=fewer) if role is Role.FACET else None
            folder = folders[layer]
            series = Series(
                layer, role, seed, count, (height, width), steps, dtype, recipe, run, computation, folder, photos
            )
            (main if role is Role.MAIN else others).append(Task(series, selected[layer]))
    tasks = tuple(task for task in (*main, *others) if task.units)
    attributes = {task.path: series_attributes(task.series, model) for task in tasks}
    layer_order = {layer.name: index for index, layer in enumerate(model.layers)}
    shown = next((task.series.photos for task in tasks if task.series.photos is not None), None)
    command = _command(
        model,
        tasks[0].series,
        layers,
        None if units is None else selected,
        full,
        facets,
        None if shown is None else shown.survey,
    )
    return Plan(tasks, attributes, layer_order, command)


def describe_computation(model: Model, size: tuple[int, int]) -> dict[str, object]:
    """What else can change the pixels: the version of the ascent, the network's program, and JAX's settings."""
    return {
        "routine": VERSION,
        "architecture": hash_architecture(model, size=size),
        "precision": str(jax.config.values["jax_default_matmul_precision"]),
        "x64": bool(jax.config.values["jax_enable_x64"]),
        "random": [str(jax.config.values[name]) for name in ("jax_default_prng_impl", "jax_threefry_partitionable")],
    }


def series_attributes(series: Series, model: Model) -> dict[str, object]:
    """The attributes of a series in the store: enough to read and to reproduce its pictures without the network."""
    attributes = {
        "layer": series.layer,
        "role": series.role.value,
        "seed": series.seed,
        "count": series.count,
        "identity": series.identity,
        "run": dict(series.run),
        "source": dict(model.source),
        "recipe_words": recipe_words(series.recipe),
        "channels": model.input.channels,
        "pixels_to_floats": 1 / 255,
    }
    attributes |= {} if series.photos is None else {"photos": vars(series.photos)}
    plain: dict[str, object] = json.loads(json.dumps(attributes))
    return plain


def _command(
    model: Model,
    series: Series,
    layers: Sequence[str] | None,
    units: Mapping[str, Sequence[int]] | None,
    full: Sequence[str] | None,
    facets: int | None,
    survey: str | None,
) -> str | None:
    """`featviz atlas MODEL ...`, or None where no command makes these pictures."""
    options = recipe_words(series.recipe)
    network = network_words(model.source)
    if options is None or network is None:
        return None
    words = ["featviz", "atlas", network[0], "-o", "atlas", *network[1:]]
    words += ["--layers", ",".join(layers)] if layers is not None else []
    for layer, indices in (units or {}).items():
        words += ["--units", f"{layer}:{format_units(indices)}"] if indices else []
    words += ["--pages", "full"] if full is None else ["--full", ",".join(full)] if full else []
    words += ["--facets", str(facets)] if facets is not None else []
    words += ["--survey", survey] if survey is not None else []
    height, width = series.size
    size = str(height) if height == width else f"{height}x{width}"
    words += [*options, "--size", size, "--steps", str(series.steps), "--seed", str(series.seed)]
    return shlex.join([*words, *(["--dtype", series.dtype] if series.dtype != "float32" else [])])
