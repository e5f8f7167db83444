"""The user's cache folder, for what can be made or downloaded again: compiled programs and the zoo's weights."""

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """The folder: $FEATVIZ_CACHE, or else `featviz` in the operating system's folder for caches.

    Raises:
      RuntimeError: if the user has no home folder.
    """
    if folder := os.environ.get("FEATVIZ_CACHE"):
        return Path(folder)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "featviz" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "featviz"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "featviz"


def keeps_programs() -> bool:
    """Whether compiled programs are kept there: unless the environment says `FEATVIZ_KEEP_PROGRAMS=0`."""
    return os.environ.get("FEATVIZ_KEEP_PROGRAMS", "") != "0"
