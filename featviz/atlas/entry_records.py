"""What an entry says without the network: its key, its command, its pictures with their provenance, their faults."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from featviz.ascent.outcome import Outcome
from featviz.atlas.entries import ARRAYS, CLEAN_HISTORY, OUTCOMES, Entries, made_looks, made_steps
from featviz.atlas.series import PlannedSeries, objective_of
from featviz.common.canonical import describe, digest
from featviz.pages.records import Role
from featviz.pictures.command import command_line
from featviz.pictures.picture import Picture

# Below this standard deviation, of values up to 255, a picture counts as gray; typical pictures have about 50.
GRAY = 5.0
# Names of units that a line of the report lists.
LISTED = 20


@dataclass(frozen=True)
class AtlasRow:
    """One entry in the table of an atlas; the `score` of a group is the mean. `path` and `unit` locate the entry."""

    layer: str
    unit: int
    role: Role
    seed: int
    score: float
    outcome: str
    steps: int
    faults: tuple[str, ...]
    key: str
    path: str


def atlas_rows(series: PlannedSeries, entries: Entries, units: Iterable[int]) -> Iterator[AtlasRow]:
    """The rows of written entries, ascending; a damaged entry has the outcome "damaged" and no score."""
    wanted = sorted(units)
    lacking = {unit for name in ARRAYS for unit in entries.arrays[name].lacking(wanted)}
    # Read side by side, many units at once.
    columns = [entries.values(name, wanted) for name in entries.arrays]
    for values in zip(*columns, strict=True):
        unit, found = values[0][0], dict(zip(entries.arrays, (value for _, value in values), strict=True))
        row = partial(
            AtlasRow,
            series.layer,
            unit,
            series.role,
            series.seed,
            key=entry_key(entries, unit),
            path=series.path,
        )
        arrays = {name: value for name, value in found.items() if not isinstance(value, Exception)}
        if unit in lacking or len(arrays) < len(found):
            yield row(score=float("nan"), outcome="damaged", steps=0, faults=("damaged",))
            continue
        outcome = OUTCOMES[int(arrays["outcome"])]
        assert outcome is not None
        pixels = arrays["pixels"] if arrays["pixels"].ndim == 3 else arrays["pixels"][0]
        history = made_steps(arrays["history"])
        clean = made_looks(arrays[CLEAN_HISTORY])[:, 1] if CLEAN_HISTORY in arrays else None
        faults = picture_faults(pixels[..., : entries.attributes["channels"]], outcome, history, clean_scores=clean)
        score = float(np.mean(arrays["score"]))
        yield row(score=score, outcome=outcome.value, steps=len(history), faults=faults)


def entry_key(entries: Entries, unit: int) -> str:
    """The content address of an entry (`Series.key`)."""
    shared = entries.attributes
    objective = objective_of(Role(shared["role"]), shared["layer"], unit)
    return digest({**shared["identity"], "objective": describe(objective)})


def entry_command(attributes: Mapping[str, Any], unit: int) -> str | None:
    """The command that reproduces an entry's pictures, or None if no command does."""
    role = Role(attributes["role"])
    # A diverse group is requested by its unit.
    objective = objective_of(Role.MAIN if role is Role.FACET else role, attributes["layer"], unit)
    more = ["--facets", str(attributes["count"])] if role is Role.FACET else []
    return command_line(attributes["source"], attributes["recipe_words"], attributes["run"], objective, more=more)


def entry_provenance(entries: Entries, unit: int) -> dict[str, object]:
    """The provenance of an entry's pictures, as `render` returns it."""
    shared = entries.attributes
    objective = objective_of(Role(shared["role"]), shared["layer"], unit)
    return {
        **shared["run"],
        "name": objective.label,
        "objective": describe(objective),
        "objective_sha256": objective.hash,
        "command": entry_command(shared, unit),
        "lanes": shared.get("lanes"),
    }


def read_pictures(entries: Entries, unit: int) -> list[Picture]:
    """The pictures of an entry, with their provenance."""
    channels, outcome = entries.attributes["channels"], entries.outcome(unit)
    assert outcome is not None
    provenance, history, scores = entry_provenance(entries, unit), entries.history(unit), entries.score(unit)
    clean = entries.clean_history(unit)
    pictures = []
    for index, values in enumerate(entries.pixels(unit).astype(np.float32) / np.float32(255)):
        alpha = values[..., -1] if values.shape[-1] > channels else None
        group = {"group": len(scores), "image": index} if len(scores) > 1 else {}
        pixels, score = values[..., :channels], float(scores[index])
        pictures.append(Picture(pixels, score, outcome, history, provenance | group, alpha, clean[:, [0, 1 + index]]))
    return pictures


def picture_faults(
    pixels: UInt8[np.ndarray, "h w c"],
    outcome: Outcome,
    history: Float[np.ndarray, " steps"],
    *,
    clean_scores: Float[np.ndarray, " looks"] | None = None,
) -> tuple[str, ...]:
    """What is wrong with a picture: "dead", "constant", "unmoved", "never rises", "gray", "not finite".

    The score never rises if neither that of the picture itself is above that of the start, nor the mean over the last
    eighth of the steps, on transformed views, above the first. Each alone may fall: noise that fades changes the views'
    scores, and a picture that is made for noisy views may mean less without noise.

    >>> rising, falling = np.array([0.0, 1.0, 2.0]), np.array([1.0, 0.5, 0.0])
    >>> noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    >>> picture_faults(noise, Outcome.CONVERGED, rising), picture_faults(noise // 64, Outcome.OUT_OF_STEPS, falling)
    ((), ('never rises', 'gray'))
    """
    faults = []
    if outcome is Outcome.NOT_FINITE:
        faults.append("not finite")
    flat = (Outcome.DEAD, Outcome.CONSTANT, Outcome.UNMOVED)
    if outcome in flat:
        faults.append(outcome.value)
    views = history[np.isfinite(history)]
    clean = np.array([]) if clean_scores is None else clean_scores[np.isfinite(clean_scores)]
    rises = [
        scores[-max(1, len(scores) // share) :].mean() > scores[0]
        for scores, share in ((views, 8), (clean, len(clean)))
        if len(scores) > 1
    ]
    if outcome not in flat and rises and not any(rises):
        faults.append("never rises")
    if pixels.astype(np.float32).std() < GRAY:
        faults.append("gray")
    return tuple(faults)


def summarize_faults(units: Iterable[tuple[str, tuple[str, ...]]]) -> list[str]:
    """A report in lines: how many units there are, and the names of those with each fault.

    >>> summarize_faults([("conv1:0", ()), ("conv1:1", ("dead", "gray")), ("conv1:2", ("dead",))])
    ['3 units, 2 with faults', 'dead: conv1:1, conv1:2', 'gray: conv1:1']
    """
    pairs = list(units)
    faulty = [(name, faults) for name, faults in pairs if faults]
    kinds = Counter(fault for _, faults in faulty for fault in faults)
    lines = [f"{len(pairs)} units" + (f", {len(faulty)} with faults" if faulty else "")]
    for kind in kinds:
        names = [name for name, faults in faulty if kind in faults]
        more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
        lines.append(f"{kind}: {', '.join(names[:LISTED])}{more}")
    return lines
