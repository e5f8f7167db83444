"""`download_url`, which horama calls where its spectrum is not in the working folder; the benchmarks put it there."""

from pathlib import Path
from urllib.request import urlretrieve


def download_url(url: str, root: str | Path, filename: str | None = None) -> None:
    """Fetches `url` into the folder `root`."""
    place = Path(root)
    place.mkdir(parents=True, exist_ok=True)
    urlretrieve(url, place / (filename or url.rpartition("/")[2]))
