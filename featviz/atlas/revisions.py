"""The revisions of an atlas: what a store has of other recipes, sizes, steps, seeds and weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from featviz.atlas.atlas_store import Store
from featviz.errors import FeatvizError

# Digits of a revision's hash that name it.
DIGITS = 8


@dataclass(frozen=True)
class Revision:
    """All plans of one network, recipe, size, number of steps and seed; `shared` is the hash of what they share.

    `weights` is the SHA-256 of the network's; `options` are what of the command line makes it.
    """

    shared: str
    network: str
    weights: str
    options: str

    @property
    def name(self) -> str:
        """What it is called: the first digits of its hash."""
        return self.shared[:DIGITS]

    def __str__(self) -> str:
        return f"{self.name} ({self.network} {self.options})"


def revisions(store: Store) -> list[Revision]:
    """What has been planned in a store, the last command's revision last."""
    found: dict[str, Revision] = {}
    for plan in store.plans():
        shared = plan["shared"]
        known = found.pop(shared, None) or _read(store, plan)
        if known is not None:
            found[shared] = known
    return list(found.values())


def choose_revision(store: Store, name: str) -> str:
    """The hash of the revision whose name begins so. Raises FeatvizError, which lists them, unless it is one."""
    found = revisions(store)
    fitting = [each.shared for each in found if name and each.shared.startswith(name.lower())]
    if len(fitting) != 1:
        raise FeatvizError(f"`revision` is `{name}`; expected {_list(found)}")
    return fitting[0]


def check_network(store: Store, network: Mapping[str, Any]) -> None:
    """Refuses another network than the store's; other weights of a network are another revision.

    Args: the `network` of a run's description.
    """
    name, weights, found = network["name"], network["weights_sha256"], revisions(store)
    if found and not any(name == each.network or weights == each.weights for each in found):
        own = " and ".join(dict.fromkeys(each.network for each in found))
        raise FeatvizError(f"`{store.place}` is an atlas of {own}, not of {name}; expected another folder")


def told(store: Store, shared: str) -> str | None:
    """A line on the revision that the last command had, where this one has another; else None."""
    found = revisions(store)
    if not found or found[-1].shared == shared:
        return None
    return (
        f"`{store.place}` keeps its pictures of {found[-1]}: "
        f"`featviz export` and `featviz site` take them with --revision {found[-1].name}"
    )


def _read(store: Store, plan: dict[str, Any]) -> Revision | None:
    """The revision of a plan, from the attributes of its first series that can be read."""
    for each in plan["series"]:
        if each["role"] != "main":
            continue
        try:
            of = dict(store.group[each["path"]].attrs)
            run, words = of["run"], of["recipe_words"]
            height, width = run["size"]
            network, steps, seed = run["network"], run["steps"], run["seed"]
        except (KeyError, ValueError, TypeError):  # metadata that cannot be read; a run writes them again
            continue
        size = str(height) if height == width else f"{height}x{width}"
        options = [*(words or ["a recipe of its own"]), f"--size {size} --steps {steps} --seed {seed}"]
        options += [f"--dtype {run['dtype']}"] if run["dtype"] != "float32" else []
        return Revision(plan["shared"], network["name"], network["weights_sha256"], " ".join(options))
    return None


def _list(found: Sequence[Revision]) -> str:
    return "one of " + ", ".join(map(str, found)) if found else "none, since nothing is planned"
