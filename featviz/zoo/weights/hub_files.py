"""`hf-hub:OWNER/REPOSITORY`: the files of repositories of Hugging Face, fetched into the user's cache."""

import json
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from featviz.errors import FeatvizError, in_one_line
from featviz.zoo.entry import Source
from featviz.zoo.weights.download import fetch
from featviz.zoo.weights.https import request_file
from featviz.zoo.weights.recorded_weights import PREFIX

SERVER = "https://huggingface.co"
# A list of files is not larger.
MAX_LIST = 2**24


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

    def list_files(self) -> list[str]:
        """The paths of all files.

        Raises:
            FeatvizError: If there is no such repository, or it cannot be reached.
        """
        url = f"{self.server}/api/models/{quote(self.name)}/revision/{quote(self.revision, safe='')}"
        try:
            with request_file(url, loopback=self.loopback) as reply:
                text = reply.stream.read(MAX_LIST)
            return sorted(str(entry["rfilename"]) for entry in json.loads(text)["siblings"])
        except Exception as error:
            raise FeatvizError(f"the files of `{PREFIX}{self.name}` cannot be listed: {in_one_line(error)}") from None

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
