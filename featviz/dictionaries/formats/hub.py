"""`hf-hub:OWNER/REPOSITORY/FOLDER`: files of a dictionary from a repository of Hugging Face, into the user's cache."""

from functools import partial
from pathlib import Path

from featviz.dictionaries.formats.contents import CONFIGS, SUFFIXES
from featviz.zoo.weights.hub_files import SERVER, choose_weights, parse_hub_name


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
    weights, listed = repository.find_file(partial(choose_weights, name, inside=inside, suffixes=SUFFIXES))
    folder = weights.rpartition("/")[0]
    beside = [path for path in listed if path.rpartition("/")[0] == folder]
    wanted = [weights, *(path for path in beside if path.rpartition("/")[2] in CONFIGS)]
    fetched = [repository.fetch_file(path) for path in wanted]
    return fetched[0]
