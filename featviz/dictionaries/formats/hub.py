"""`hf-hub:OWNER/REPOSITORY/FOLDER`: files of a dictionary from a repository of Hugging Face, into the user's cache."""

import json
from pathlib import Path
from urllib.parse import quote

from featviz.dictionaries.formats.contents import CONFIGS, is_weights
from featviz.errors import FeatvizError, in_one_line, suggest
from featviz.zoo.entry import Source
from featviz.zoo.weights.download import fetch
from featviz.zoo.weights.https import request_file

PREFIX = "hf-hub:"
SERVER = "https://huggingface.co"
# A list of files is not larger.
MAX_LIST = 2**24


def fetch_dictionary(name: str, *, server: str = SERVER, loopback: bool = False) -> Path:
    """The folder in the user's cache with the weights and the configuration of a dictionary, fetched if needed.

    Args:
      name: `hf-hub:OWNER/REPOSITORY`, with a folder or a file behind it, and a revision behind `@`.
      server: where repositories lie.
      loopback: whether plain HTTP of this machine is allowed, for tests.

    Raises:
      FeatvizError: if there is no such repository, or it does not hold one file of weights there.
    """
    words, _, revision = name.removeprefix(PREFIX).partition("@")
    parts = words.strip("/").split("/")
    if len(parts) < 2 or not all(parts):
        raise FeatvizError(f"`{name}` names no repository; expected {PREFIX}OWNER/REPOSITORY, or a folder of one")
    repository, inside = "/".join(parts[:2]), "/".join(parts[2:])
    revision = revision or "main"
    listed = _list_files(repository, revision, server=server, loopback=loopback)
    weights = _choose(name, listed, inside)
    folder = weights.rpartition("/")[0]
    beside = [path for path in listed if path.rpartition("/")[0] == folder]
    wanted = [weights, *(path for path in beside if path.rpartition("/")[2] in CONFIGS)]
    base = f"{server}/{quote(repository)}/resolve/{quote(revision, safe='')}"
    fetched = [fetch(Source(f"{base}/{quote(path)}"), loopback=loopback) for path in wanted]
    return fetched[0]


def _list_files(repository: str, revision: str, *, server: str, loopback: bool) -> list[str]:
    url = f"{server}/api/models/{quote(repository)}/revision/{quote(revision, safe='')}"
    try:
        with request_file(url, loopback=loopback) as reply:
            text = reply.stream.read(MAX_LIST)
        return sorted(str(entry["rfilename"]) for entry in json.loads(text)["siblings"])
    except Exception as error:
        raise FeatvizError(f"the files of `{PREFIX}{repository}` cannot be listed: {in_one_line(error)}") from None


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
