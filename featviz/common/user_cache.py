"""Where featviz keeps what it can make or fetch again: compiled programs and the zoo's weights."""

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """The user's cache folder of featviz: $FEATVIZ_CACHE, else the system's place for caches.

    Raises: RuntimeError if there is no home.
    """
    if own := os.environ.get("FEATVIZ_CACHE"):
        return Path(own)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "featviz" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "featviz"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "featviz"
