"""What an entry says without the network: its key, its command, its pictures with their provenance, their faults."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from featviz.ascent.outcome import Outcome
from featviz.atlas.entries import BEGUN_AT, CLEAN_HISTORY, OUTCOMES, Entries
from featviz.atlas.entry_histories import made_looks, made_steps
from featviz.atlas.series import PlannedSeries, objective_of
from featviz.common.canonical import describe, digest
from featviz.pages.records import Role
from featviz.pictures.command import command_line
from featviz.pictures.picture import Picture
from featviz.surveys.unit_facets import share_text

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
    lacking = {unit for name in entries.needed for unit in entries.arrays[name].lacking(wanted)}
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
    """The content address of an entry (`Series.key`); of one with a damaged objective, that of its role's."""
    described: Mapping[str, Any] = {}
    # A decoder may raise anything on damaged bytes.
    with suppress(Exception):
        described = described_objective(entries, unit)
    return digest({**entries.attributes["identity"], "objective": described or _role_objective(entries, unit)})


def described_objective(entries: Entries, unit: int) -> Mapping[str, Any]:
    """What an entry maximizes, as provenance describes it."""
    described = entries.objective(unit)
    return _role_objective(entries, unit) if described is None else described


def _role_objective(entries: Entries, unit: int) -> Mapping[str, Any]:
    """What an entry of the series' role maximizes where no photograph has a part in it."""
    shared = entries.attributes
    described: Mapping[str, Any] = describe(objective_of(Role(shared["role"]), shared["layer"], unit))
    return described


def shares_of_photos(described: Mapping[str, Any]) -> list[float] | None:
    """The share of a unit's photographs that each of its facets stands for; None if they are not of photographs."""
    shares: list[float] | None = described["terms"][0].get("shares")
    return shares


def entry_command(entries: Entries, unit: int) -> str | None:
    """The command that reproduces an entry's pictures, or None if no command does."""
    shared = entries.attributes
    role = Role(shared["role"])
    if role is Role.FACET and shared["count"] == 1:
        # `featviz render --facets 1` draws the unit's own picture.
        return None
    # A group of facets is requested by its unit.
    objective = objective_of(Role.MAIN if role is Role.FACET else role, shared["layer"], unit)
    more = ["--facets", str(shared["count"])] if role is Role.FACET else []
    if shares_of_photos(described_objective(entries, unit)) is not None:
        more += ["--exemplars", shared["photos"]["survey"]]
    return command_line(shared["source"], shared["recipe_words"], _entry_run(entries, unit), objective, more=more)


def _entry_run(entries: Entries, unit: int) -> dict[str, Any]:
    """How an entry was rendered: as its series says, or in fewer steps from photographs."""
    run = dict(entries.attributes["run"])
    return run | (
        {"steps": entries.attributes["photos"]["steps"], "start": "an image"} if entries.begun_at(unit) else {}
    )


def entry_provenance(entries: Entries, unit: int) -> dict[str, object]:
    """The provenance of an entry's pictures, as `render` returns it."""
    shared = entries.attributes
    described = described_objective(entries, unit)
    return {
        **_entry_run(entries, unit),
        "name": objective_of(Role(shared["role"]), shared["layer"], unit).label,
        "objective": described,
        "objective_sha256": digest(described),
        "command": entry_command(entries, unit),
        "lanes": shared.get("lanes"),
    }


def read_pictures(entries: Entries, unit: int) -> list[Picture]:
    """The pictures of an entry, with their provenance."""
    channels, outcome = entries.attributes["channels"], entries.outcome(unit)
    assert outcome is not None
    provenance, history, scores = entry_provenance(entries, unit), entries.history(unit), entries.score(unit)
    clean, shares = entries.clean_history(unit), shares_of_photos(described_objective(entries, unit))
    begun_at = entries.begun_at(unit)
    pictures = []
    for index, values in enumerate(entries.pixels(unit).astype(np.float32) / np.float32(255)):
        alpha = values[..., -1] if values.shape[-1] > channels else None
        group: dict[str, Any] = {"group": len(scores), "image": index} if len(scores) > 1 else {}
        group |= {} if shares is None else {"note": share_text(shares[index])}
        group |= {BEGUN_AT: begun_at[index]} if begun_at else {}
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
