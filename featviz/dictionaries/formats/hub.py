"""`hf-hub:OWNER/REPOSITORY/FOLDER`: files of a dictionary from a repository of Hugging Face, into the user's cache."""

from pathlib import Path

from featviz.dictionaries.formats.contents import CONFIGS, is_weights
from featviz.errors import FeatvizError, suggest
from featviz.zoo.weights.hub_files import SERVER, parse_hub_name


def fetch_dictionary(name: str, *, server: str = SERVER, loopback: bool = False) -> Path:
    """The folder in the user's cache with the weights and the configuration of a dictionary, fetched if needed.

    Args:
      name: `hf-hub:OWNER/REPOSITORY`, with a folder or a file behind it, and a revision behind `@`.
      server: where repositories lie.
      loopback: whether plain HTTP of this machine is allowed, for tests.

    Raises:
      FeatvizError: if there is no such repository, or it does not hold one file of weights there.
    """
    repository, inside = parse_hub_name(name, server=server, loopback=loopback)
    listed = repository.list_files()
    weights = _choose(name, listed, inside)
    folder = weights.rpartition("/")[0]
    beside = [path for path in listed if path.rpartition("/")[0] == folder]
    wanted = [weights, *(path for path in beside if path.rpartition("/")[2] in CONFIGS)]
    fetched = [repository.fetch_file(path) for path in wanted]
    return fetched[0]


def _choose(name: str, listed: list[str], inside: str) -> str:
    """The one file of weights that a name means."""
    weights = [path for path in listed if is_weights(Path(path))]
    if inside in weights:
        return inside
    under = [path for path in weights if not inside or path.startswith(inside + "/")]
    here = [path for path in under if path.rpartition("/")[0] == inside]
    found = here if here else under
    if len(found) == 1:
        return found[0]
    folders = sorted({path.rpartition("/")[0] or path for path in (found or weights)})
    problem = "several files of weights" if found else "no file of weights"
    raise FeatvizError(f"`{name}` has {problem}; {suggest(inside, folders)}" if folders else f"`{name}` has {problem}")
