"""The revisions of an atlas: its pictures under each recipe, size, number of steps, seed and weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from featviz.atlas.atlas_store import Store
from featviz.errors import FeatvizError
from featviz.pages.records import Role

# Digits of a revision's hash that name it.
DIGITS = 8


@dataclass(frozen=True)
class Revision:
    """All plans of one network, recipe, size, number of steps and seed.

    Attributes:
      hash: the hash of what the plans share (`Plan.revision`).
      network: the network's name.
      weights: the SHA-256 of the network's weights.
      options: the options of the command line that select it.
    """

    hash: str
    network: str
    weights: str
    options: str

    @property
    def name(self) -> str:
        """The first digits of the hash."""
        return self.hash[:DIGITS]

    def __str__(self) -> str:
        return f"{self.name} ({self.network} {self.options})"


def list_revisions(store: Store) -> list[Revision]:
    """All revisions of a store, that of the latest command last."""
    revisions: dict[str, Revision] = {}
    for plan in store.plans():
        revision = revisions.pop(plan["revision"], None) or _read_revision(store, plan)
        if revision is not None:
            revisions[revision.hash] = revision
    return list(revisions.values())


def choose_revision(store: Store, name: str) -> str:
    """The hash of the one revision whose hash begins with `name`.

    Raises:
      FeatvizError: if no revision or several match; the message lists all.
    """
    revisions = list_revisions(store)
    matching = [revision.hash for revision in revisions if name and revision.hash.startswith(name.lower())]
    if len(matching) != 1:
        raise FeatvizError(f"`revision` is `{name}`; expected {_choices(revisions)}")
    return matching[0]


def check_network(store: Store, network: Mapping[str, Any]) -> None:
    """Refuses another network than the store's; other weights of the same network are another revision.

    Args:
      store: the atlas's store.
      network: the `network` of a run's description.

    Raises:
      FeatvizError: if neither the name nor the weights are known in the store.
    """
    name, weights, revisions = network["name"], network["weights_sha256"], list_revisions(store)
    if revisions and not any(name == revision.network or weights == revision.weights for revision in revisions):
        names = " and ".join(dict.fromkeys(revision.network for revision in revisions))
        raise FeatvizError(f"`{store.location}` is an atlas of {names}, not of {name}; expected another folder")


def describe_previous(store: Store, revision: str) -> str | None:
    """A line that says how to open the latest command's revision, if `revision` is another one; else None."""
    revisions = list_revisions(store)
    if not revisions or revisions[-1].hash == revision:
        return None
    previous = revisions[-1]
    return (
        f"`{store.location}` keeps the pictures of revision {previous}; open them with --revision {previous.name} in "
        "`featviz export` and `featviz site`"
    )


def _read_revision(store: Store, plan: Mapping[str, Any]) -> Revision | None:
    """The revision of a plan, from the attributes of its first main series that can be read."""
    for series in plan["series"]:
        if series["role"] != Role.MAIN.value:
            continue
        try:
            attributes = dict(store.group[series["path"]].attrs)
            run, words = attributes["run"], attributes["recipe_words"]
            height, width = run["size"]
            network, steps, seed = run["network"], run["steps"], run["seed"]
        except (KeyError, ValueError, TypeError):  # metadata that cannot be read; a run writes them again
            continue
        size = str(height) if height == width else f"{height}x{width}"
        options = [*(words or ["custom recipe"]), f"--size {size} --steps {steps} --seed {seed}"]
        options += [f"--dtype {run['dtype']}"] if run["dtype"] != "float32" else []
        return Revision(plan["revision"], network["name"], network["weights_sha256"], " ".join(options))
    return None


def _choices(revisions: Sequence[Revision]) -> str:
    return "one of " + ", ".join(map(str, revisions)) if revisions else "none, since nothing is planned"
