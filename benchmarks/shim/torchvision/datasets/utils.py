"""`download_url`, which horama calls if its spectrum is not in the working folder, where the benchmarks put it."""

from pathlib import Path
from urllib.request import urlretrieve


def download_url(url: str, root: str | Path, filename: str | None = None) -> None:
    """Fetches `url` into the folder `root`."""
    folder = Path(root)
    folder.mkdir(parents=True, exist_ok=True)
    urlretrieve(url, folder / (filename or url.rpartition("/")[2]))
