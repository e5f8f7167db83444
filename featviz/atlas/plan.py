"""The plan: which units get which pictures, in which order, and which share of that is a run's own."""

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax

from featviz.ascent import VERSION
from featviz.ascent.batching import lane_bytes
from featviz.atlas.atlas_store import safe_part
from featviz.atlas.locks import runs
from featviz.atlas.series import FACETS, Series
from featviz.common.canonical import digest
from featviz.errors import FeatvizError, suggest
from featviz.model import Model, hash_architecture, hash_weights, require_model
from featviz.model.layer_patterns import choose_layers
from featviz.model.shapes import shapes_at
from featviz.objectives import channel
from featviz.pages.records import Role
from featviz.pictures.command import network_words, recipe_words
from featviz.pictures.provenance import describe_run
from featviz.recipes import Recipe, default_size, expand_stages, resolve
from featviz.rendering.checks import Size, check_count, check_dtype, check_objectives, check_size

# Of every layer that has them, or of each layer its own.
Units = Iterable[int] | Mapping[str, Iterable[int]]
# Seeds of a full page beside the atlas's own: that many more.
MORE_SEEDS = 2


@dataclass(frozen=True)
class Task:
    """Entries to draw: units of one series, ascending, `lanes` side by side on a device where that is fixed."""

    series: Series
    units: tuple[int, ...]
    lanes: int | None = None

    @cached_property
    def path(self) -> str:
        """Where the series lies in the store."""
        return series_path(self.series)


@dataclass(frozen=True)
class Plan:
    """All tasks in their order, the main pictures of all layers first; `command` makes it again, where one can.

    `attributes` has of each task's path what its series' pictures share, as the store keeps it; `order` numbers the
    network's layers.
    """

    tasks: tuple[Task, ...]
    attributes: Mapping[str, Mapping[str, Any]]
    order: Mapping[str, int]
    command: str | None

    @property
    def shared(self) -> str:
        """The hash of what all of it has in common: plans of one are parts of one atlas."""
        main = self.tasks[0].series
        return digest({**main.identity, "seed": main.seed})

    def to_json(self) -> dict[str, Any]:
        """The plan as the store keeps it: of each series its path, layer, role, seed, and runs of units."""
        series = [
            {
                "path": task.path,
                "layer": task.series.layer,
                "order": self.order[task.series.layer],
                "role": task.series.role.value,
                "seed": task.series.seed,
                "units": [list(run) for run in runs(task.units)],
            }
            for task in self.tasks
        ]
        return {"shared": self.shared, "series": series}


def series_path(series: Series) -> str:
    """`pictures/LAYER/ROLE-HASH`."""
    return f"pictures/{safe_part(series.layer)}/{series.role.value}-{series.hash[:16]}"


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
    dtype: Any,
    place: Mapping[str, Any] | None = None,
) -> Plan:
    """Every unit of the chosen layers; of `full` layers also in other seeds, negative, at the center and as facets.

    `full` None is all of them. `place` has the `device` and the `versions` of what will draw, by default those of this
    process.

    Raises: FeatvizError for a pattern that fits no layer, a unit that no layer has, a size without sense.
    """
    chosen = choose_layers(require_model(model), layers)
    rich = set(chosen if full is None else choose_layers(model, full, among=chosen, option="full") if full else ())
    wanted = choose_units(model, chosen, units)
    seed = check_count("seed", seed, 0, 2**32 - 1 - MORE_SEEDS)
    recipe = resolve(recipe, model)
    height, width = check_size(default_size(model, recipe, tuple(chosen)) if size is None else size, None)
    steps = check_count("steps", recipe.steps if steps is None else steps, 1, 1_000_000)
    steps = sum(stage.steps for stage, _ in expand_stages(recipe, (height, width), steps))
    dtype = check_dtype(dtype)
    check_objectives(model, [channel(layer, 0) for layer in chosen], (1, height, width, model.input.channels))
    weights, machine = hash_weights(model.weights), computing(model, (height, width))
    shapes = shapes_at(model, chosen, (height, width))
    main: list[Task] = []
    more: list[Task] = []
    for layer in chosen:
        kinds = [(Role.MAIN, seed)]
        if layer in rich:
            kinds += [(Role.SEED, seed + number) for number in range(1, MORE_SEEDS + 1)]
            kinds += [(Role.NEGATIVE, seed), (Role.FACET, seed)]
            kinds += [(Role.CENTER, seed)] if len(shapes[layer]) == 3 else []
        for role, number in kinds:
            run = describe_run(
                model, recipe, weights_sha256=weights, size=(height, width), steps=steps, seed=number, dtype=dtype
            ) | dict(place or {})
            group = FACETS if role is Role.FACET else 1
            series = Series(layer, role, number, group, (height, width), steps, dtype, recipe, run, machine)
            (main if role is Role.MAIN else more).append(Task(series, wanted[layer]))
    tasks = tuple(task for task in (*main, *more) if task.units)
    attributes = {task.path: attributes_of(task.series, model) for task in tasks}
    some = None if units is None else wanted
    order = {layer.name: number for number, layer in enumerate(model.layers)}
    return Plan(tasks, attributes, order, _command(model, tasks[0].series, layers, some, full))


def computing(model: Model, size: tuple[int, int]) -> dict[str, Any]:
    """What else can change the pixels: the routine, the network's program, and how JAX is told to compute."""
    return {
        "routine": VERSION,
        "architecture": hash_architecture(model, size=size),
        "precision": str(jax.config.values["jax_default_matmul_precision"]),
        "x64": bool(jax.config.values["jax_enable_x64"]),
        "random": [str(jax.config.values[name]) for name in ("jax_default_prng_impl", "jax_threefry_partitionable")],
    }


def choose_units(model: Model, layers: Sequence[str], units: Units | None) -> dict[str, tuple[int, ...]]:
    """Each layer's units, ascending: all of them, those of one list that it has, or those of a list of its own.

    Raises: FeatvizError for a unit that no layer has, or that its layer has not.
    """
    counts = {layer: model.layer(layer).units for layer in layers}
    if units is None:
        return {layer: tuple(range(count)) for layer, count in counts.items()}
    if isinstance(units, Mapping):
        for layer in units:
            if layer not in counts:
                raise FeatvizError(f"`units` names {layer}, which is not planned; {suggest(layer, layers)}")
        found = {layer: _ascending(units.get(layer, ()), count) for layer, count in counts.items()}
    else:
        every = _ascending(units, max(counts.values()))
        found = {layer: tuple(unit for unit in every if unit < count) for layer, count in counts.items()}
    if not any(found.values()):
        raise FeatvizError("`units` is empty; expected numbers of units")
    return found


def _ascending(units: Iterable[int], count: int) -> tuple[int, ...]:
    return tuple(sorted({check_count("units", unit, 0, count - 1) for unit in units}))


def _command(
    model: Model,
    series: Series,
    layers: Sequence[str] | None,
    units: Mapping[str, Sequence[int]] | None,
    full: Sequence[str] | None,
) -> str | None:
    """`featviz atlas MODEL ...`, or None where no command makes these pictures."""
    options = recipe_words(series.recipe)
    network = network_words(model.source)
    if options is None or network is None:
        return None
    words = ["featviz", "atlas", network[0], "-o", "atlas", *network[1:]]
    words += ["--layers", ",".join(layers)] if layers is not None else []
    for layer, some in (units or {}).items():
        words += ["--units", f"{layer}:{','.join(_range(*run) for run in runs(some))}"] if some else []
    words += ["--pages", "full"] if full is None else ["--full", ",".join(full)] if full else []
    height, width = series.size
    size = str(height) if height == width else f"{height}x{width}"
    words += [*options, "--size", size, "--steps", str(series.steps), "--seed", str(series.seed)]
    return shlex.join([*words, *(["--dtype", series.dtype] if series.dtype != "float32" else [])])


def _range(first: int, count: int) -> str:
    return str(first) if count == 1 else f"{first}-{first + count - 1}"


def attributes_of(series: Series, model: Model) -> dict[str, Any]:
    """What a series' group says of it: enough to read its pictures, and to make them again, without the network."""
    found = {
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
    plain: dict[str, Any] = json.loads(json.dumps(found))
    return plain


def share(tasks: Sequence[Task], model: Model, *, number: int, count: int) -> tuple[Task, ...]:
    """Share `number` of `count`, from 1 on, of the tasks: neighbors in the plan's order, of about one cost each.

    It depends on the plan alone, so that shares that know nothing of one another are disjoint and together the whole.
    Neighbors, since a share compiles a program for each kind of pictures that it has.
    """
    check_count("shard", number, 1, check_count("shard", count, 1, 1_000_000))
    costs = [cost_of(task.series, model) for task in tasks]
    total = sum(cost * len(task.units) for cost, task in zip(costs, tasks, strict=True))
    taken, passed = [], 0.0
    for cost, task in zip(costs, tasks, strict=True):
        own = []
        for unit in task.units:
            # The share in whose stretch an entry's middle lies.
            at = min(int((passed + cost / 2) * count / total), count - 1)
            passed += cost
            if at == number - 1:
                own.append(unit)
        if own:
            taken.append(Task(task.series, tuple(own)))
    return tuple(taken)


def cost_of(series: Series, model: Model) -> float:
    """About how much work one entry is, in no unit: what its lane computes, times the steps."""
    shape = (series.count, *series.size, model.input.channels)
    return float(lane_bytes(model, (series.layer,), shape, series.recipe.samples)) * series.steps
