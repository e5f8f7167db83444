"""`hf-hub:OWNER/REPOSITORY`: the files of repositories of Hugging Face, fetched into the user's cache."""

import contextlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import quote

from featviz.common.files import write_atomic
from featviz.errors import FeatvizError, in_one_line, suggest
from featviz.zoo.entry import Source
from featviz.zoo.weights.download import fetch
from featviz.zoo.weights.https import request_file
from featviz.zoo.weights.recorded_weights import PREFIX
from featviz.zoo.weights.weight_cache import cache_path

SERVER = "https://huggingface.co"
# A list of files is not larger.
MAX_LIST = 2**24
# Files that lie beside weights and are none, by what their names contain.
OTHERS = ("sparsity", "optimizer", "activation_store", "runner_cfg")


class HubRepository(NamedTuple):
    """A repository of Hugging Face at one revision.

    Attributes:
        name: `OWNER/REPOSITORY`.
        revision: A branch, a tag or a commit.
        server: Where repositories lie.
        loopback: Whether plain HTTP of this machine is allowed, for tests.
    """

    name: str
    revision: str = "main"
    server: str = SERVER
    loopback: bool = False

    def find_file(self, choose: Callable[[list[str]], str]) -> tuple[str, list[str]]:
        """A file, and the paths of all files: as they were listed before, or listed anew if they lack the file.

        Files in the cache are not asked for again, and neither is their list: what was fetched works without a network.

        Args:
            choose: Chooses among the paths, or raises FeatvizError.

        Raises:
            FeatvizError: If there is no such repository, it cannot be reached, or `choose` raises.
        """
        with contextlib.suppress(FeatvizError):
            if (known := self._listed_before()) is not None:
                return choose(known), known
        listed = self.list_files()
        return choose(listed), listed

    def list_files(self) -> list[str]:
        """The paths of all files; the list is kept in the user's cache.

        Raises:
            FeatvizError: If there is no such repository, or it cannot be reached.
        """
        try:
            with request_file(self._list_url, loopback=self.loopback) as reply:
                text = reply.stream.read(MAX_LIST)
            listed = _read_list(text)
        except Exception as error:
            raise FeatvizError(f"the files of `{PREFIX}{self.name}` cannot be listed: {in_one_line(error)}") from None
        with contextlib.suppress(FeatvizError, OSError):  # a cache that cannot be written
            kept = cache_path(Source(self._list_url))
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(kept, json.dumps({"siblings": [{"rfilename": path} for path in listed]}).encode())
        return listed

    def _listed_before(self) -> list[str] | None:
        try:
            return _read_list(cache_path(Source(self._list_url)).read_bytes())
        except Exception:  # no such file, or one that is damaged in any way
            return None

    @property
    def _list_url(self) -> str:
        return f"{self.server}/api/models/{quote(self.name)}/revision/{quote(self.revision, safe='')}"

    def source(self, path: str) -> Source:
        """The source of a file."""
        base = f"{self.server}/{quote(self.name)}/resolve/{quote(self.revision, safe='')}"
        return Source(f"{base}/{quote(path)}")

    def fetch_file(self, path: str) -> Path:
        """A file in the user's cache, fetched if it is not there.

        Raises:
            FeatvizError: If it cannot be fetched or written.
        """
        return fetch(self.source(path), loopback=self.loopback)


def _read_list(text: bytes) -> list[str]:
    return sorted(str(entry["rfilename"]) for entry in json.loads(text)["siblings"])


def is_weights(path: str, suffixes: Sequence[str]) -> bool:
    """Whether a file is one of weights, by its name.

    >>> names = ("sae/sae_weights.safetensors", "sae/sparsity.safetensors", "cfg.json")
    >>> [is_weights(name, [".safetensors"]) for name in names]
    [True, False, False]
    """
    name = PurePosixPath(path)
    return name.suffix in suffixes and not any(word in name.name for word in OTHERS)


def choose_weights(name: str, listed: Sequence[str], inside: str, *, suffixes: Sequence[str], usual: str = "") -> str:
    """The one file of weights that a name means: that file, or the only one of its folder, or below it.

    Args:
        name: As it was given, for errors.
        listed: The paths of all files of the repository.
        inside: The path of a folder or a file, "" for the repository itself.
        suffixes: Of files of weights that can be read.
        usual: The name of a file that is meant where a folder has several.

    Raises:
        FeatvizError: If no file is meant, or several may be.
    """
    kinds = "file of weights" if len(suffixes) > 1 else f"{suffixes[0]} file"
    read = "of the kinds that are read" if len(suffixes) > 1 else "the only kind that is read"
    weights = [path for path in listed if is_weights(path, suffixes)]
    if inside in weights:
        return inside
    if inside in listed:
        raise FeatvizError(f"`{name}` is no {kinds}, {read} from a repository: {', '.join(suffixes)}")
    under = [path for path in weights if not inside or path.startswith(inside + "/")]
    here = [path for path in under if path.rpartition("/")[0] == inside]
    found = [path for path in here if path.rpartition("/")[2] == usual] or here or under
    if len(found) == 1:
        return found[0]
    problem = "several files of weights" if found else f"no {kinds}, {read} from a repository: {', '.join(suffixes)}"
    choices = found or weights
    folders = sorted({path.rpartition("/")[0] for path in choices} - {""})
    # A folder means its file where it has one.
    hint = suggest(inside, folders if len(folders) == len(choices) else choices) if choices else ""
    raise FeatvizError("; ".join(filter(None, [f"`{name}` has {problem}", hint])))


def parse_hub_name(name: str, *, server: str = SERVER, loopback: bool = False) -> tuple[HubRepository, str]:
    """A repository, and the path of a folder or a file in it, "" for the repository itself.

    Args:
        name: `hf-hub:OWNER/REPOSITORY`, with a folder or a file behind it, and a revision behind `@`.
        server: Where repositories lie.
        loopback: Whether plain HTTP of this machine is allowed, for tests.

    Raises:
        FeatvizError: If it names no repository.

    >>> repository, path = parse_hub_name("hf-hub:lab/saes/blocks.9@v2")
    >>> repository.name, repository.revision, path
    ('lab/saes', 'v2', 'blocks.9')
    """
    words, _, revision = name.removeprefix(PREFIX).partition("@")
    parts = words.strip("/").split("/")
    if len(parts) < 2 or not all(parts) or not all(part.strip(".") for part in parts):
        raise FeatvizError(f"`{name}` names no repository; expected {PREFIX}OWNER/REPOSITORY, or a folder of one")
    return HubRepository("/".join(parts[:2]), revision or "main", server, loopback), "/".join(parts[2:])
