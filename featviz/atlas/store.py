"""An atlas on the disk: a Zarr group that any Zarr reader opens, one series in a group of its own.

zarr.json                     attributes: `kind`, `format`
plan.json                     what the last command planned
pictures/LAYER/ROLE-HASH/     attributes: what the series' pictures share; LAYER is percent-encoded
    pixels    (unit[, image], y, x, channel) uint8, a chunk a unit; alpha, where there is one, is the last channel
    score     (unit[, image]) float32: the objective on the clean image
    history   (unit, step) float32: the score of each step on transformed views, nan after the last
    outcome   (unit) uint8: 0 while there is none, else an index of `OUTCOMES`; written last of an entry

Every chunk carries a checksum. An entry counts as there once its outcome is; what a kill left of others is drawn again.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from featviz.errors import FeatvizError, in_one_line
from featviz.picture import Outcome, Picture

KIND, FORMAT = "featviz atlas", 1
ARRAYS = ("pixels", "score", "history", "outcome")
OUTCOMES = (None, Outcome.CONVERGED, Outcome.OUT_OF_STEPS, Outcome.DEAD, Outcome.NOT_FINITE)
# The longest part of a path before its middle is replaced by a hash; file systems take 255 bytes.
LONGEST = 120


def safe_part(name: str) -> str:
    """A name that may hold anything as one part of a path.

    >>> safe_part("inception_4c/3x3"), safe_part(".."), len(safe_part("x" * 999))
    ('inception_4c%2F3x3', '%2E%2E', 120)
    """
    text = quote(name, safe="").replace(".", "%2E") if set(name) <= {"."} else quote(name, safe="")
    if len(text) <= LONGEST:
        return text
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{text[: LONGEST - 17]}~{digest}"


class Entries:
    """The entries of one series on the disk."""

    def __init__(self, group: Any) -> None:
        self.group = group
        self.attributes: dict[str, Any] = dict(group.attrs)
        # Opened once: each opening reads a file.
        self.arrays = {name: group[name] for name in ARRAYS}

    @property
    def units(self) -> int:
        """How many units the layer has, drawn or not."""
        return int(self.arrays["outcome"].shape[0])

    def outcome(self, unit: int) -> Outcome | None:
        """How an entry ended, or None where there is none."""
        return OUTCOMES[int(self.arrays["outcome"][unit])]

    def score(self, unit: int) -> np.ndarray:
        """float32, (images,); nan where there is no entry."""
        return np.atleast_1d(np.asarray(self.arrays["score"][unit]))

    def outcomes(self) -> np.ndarray:
        """(units,) uint8: indices of `OUTCOMES`, 0 where there is no entry."""
        return np.asarray(self.arrays["outcome"][:])

    def outcomes_of(self, units: Iterable[int]) -> tuple[dict[int, int], dict[int, str]]:
        """The outcomes of some units, and of those that cannot be read the fault."""
        try:
            values = self.outcomes()
            return {unit: int(values[unit]) for unit in units}, {}
        except Exception:  # one of them is damaged: which?
            found, faults = {}, {}
            for unit in units:
                try:
                    found[unit] = int(self.arrays["outcome"][unit])
                except Exception as error:  # whatever a decoder says of bytes that are not its own
                    faults[unit] = in_one_line(error) or type(error).__name__
            return found, faults

    def write(self, unit: int, pictures: Sequence[Picture]) -> None:
        """One entry. Raises OSError where it cannot be written; then it does not count as there."""
        first = pictures[0]
        single = self.arrays["pixels"].ndim == 4
        pixels = np.stack([picture.to_uint8() for picture in pictures])
        scores = np.array([picture.score for picture in pictures], np.float32)
        history = np.full(self.arrays["history"].shape[1], np.nan, np.float32)
        history[: len(first.history)] = first.history
        # An entry that is drawn again does not count until it is whole again.
        self.arrays["pixels"][unit] = pixels[0] if single else pixels
        self.arrays["history"][unit] = history
        self.arrays["score"][unit] = scores[0] if single else scores
        self.arrays["outcome"][unit] = OUTCOMES.index(first.outcome)

    def keep(self, *, lanes: int) -> None:
        """Keeps how many lanes a device draws the series with: pictures may depend on it (`Entries.attributes`)."""
        self.group.attrs["lanes"] = self.attributes["lanes"] = lanes

    def damaged(self, units: Iterable[int]) -> dict[int, str]:
        """Those of some units whose entries cannot be read, and why."""
        found = {}
        for unit in units:
            try:
                for name in ARRAYS:
                    self.arrays[name][unit]
            except Exception as error:  # whatever a decoder says of bytes that are not its own
                found[unit] = in_one_line(error) or type(error).__name__
        return found

    def pixels(self, unit: int) -> np.ndarray:
        """uint8, (image, y, x, channel)."""
        values = np.asarray(self.arrays["pixels"][unit])
        return values if values.ndim == 4 else values[None]

    def scores(self) -> np.ndarray:
        """float32, (units,) or (units, images); nan where there is no entry."""
        return np.asarray(self.arrays["score"][:])

    def history(self, unit: int) -> np.ndarray:
        """float32, (steps made,)."""
        values = np.asarray(self.arrays["history"][unit])
        made = np.flatnonzero(~np.isnan(values))
        return values[: made[-1] + 1] if len(made) else values[:0]


class Store:
    """The Zarr group of an atlas, in a folder or behind an address such as s3://bucket/atlas."""

    def __init__(self, place: str | Path, group: Any) -> None:
        self.place, self.group = place, group

    @property
    def folder(self) -> Path | None:
        """The folder, or None where it is no place on this machine's disk."""
        return self.place if isinstance(self.place, Path) else None

    def entries(self, path: str) -> Entries:
        """Those of a series. Raises KeyError if there are none."""
        return Entries(self.group[path])

    def paths(self) -> list[str]:
        """The series that there are."""
        if "pictures" not in self.group:
            return []
        layers = self.group["pictures"]
        return sorted(f"pictures/{layer}/{name}" for layer, of in layers.groups() for name, _ in of.groups())

    def add(self, path: str, shape: tuple[int, ...], units: int, steps: int, attributes: Mapping[str, Any]) -> Entries:
        """The series of a path; what is not there of it is made, `shape` is ([image,] y, x, channel).

        Two processes that make it at once write the same. Metadata that cannot be read are written again: they follow
        from the plan, and the entries stay.
        """
        from zarr.codecs import Crc32cCodec, ZstdCodec
        from zarr.errors import ContainsArrayError

        self._drop_damaged(path)
        group = self.group.require_group(path)
        if not attributes.items() <= dict(group.attrs).items():
            group.attrs.update(attributes)
        several = ("image",) if len(shape) == 4 else ()
        for name, dtype, sides, dimensions, fill in (
            ("pixels", "uint8", shape, (*several, "y", "x", "channel"), 0),
            ("score", "float32", shape[:-3], several, np.nan),
            ("history", "float32", (steps,), ("step",), np.nan),
            ("outcome", "uint8", (), (), 0),
        ):
            if name in group:
                continue
            with contextlib.suppress(ContainsArrayError):  # another process was quicker
                group.create_array(
                    name,
                    shape=(units, *sides),
                    chunks=(1, *sides),
                    dtype=dtype,
                    fill_value=fill,
                    dimension_names=("unit", *dimensions),
                    compressors=[ZstdCodec(level=1), Crc32cCodec()],
                )
        return Entries(group)

    def _drop_damaged(self, path: str) -> None:
        if self.folder is None:
            return
        for file in (self.folder / path).glob("**/zarr.json"):
            try:
                json.loads(file.read_text("utf-8"))
            except ValueError:
                file.unlink()


def open_store(place: str | Path, *, writable: bool = False, create: bool = False) -> Store:
    """The store of an atlas.

    Raises: FeatvizError if there is none and none is to be made, or the folder holds something else.
    """
    import zarr

    if isinstance(place, Path) and not is_atlas(place):
        _make_folder(place, create=create)
    try:
        group = zarr.open_group(str(place), mode="a" if create else "r+" if writable else "r", zarr_format=3)
        if create and group.attrs.get("kind") is None:
            group.attrs.update({"kind": KIND, "format": FORMAT})
        kind, version = group.attrs.get("kind"), group.attrs.get("format")
    except OSError as error:
        raise FeatvizError(f"`{place}` cannot be written: {error.strerror or in_one_line(error)}") from None
    except Exception as error:
        raise FeatvizError(f"`{place}` is no atlas that can be read: {in_one_line(error)}") from None
    if (kind, version) != (KIND, FORMAT):
        raise FeatvizError(f"`{place}` is {kind} {version}; expected {KIND} {FORMAT}")
    return Store(place, group)


def _make_folder(place: Path, *, create: bool) -> None:
    if not create:
        found = "holds no atlas" if place.is_dir() else "is a file" if place.exists() else "does not exist"
        raise FeatvizError(f"`{place}` {found}; expected a folder that `featviz atlas` has written")
    try:
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise FeatvizError(f"`{place}` holds other things; expected a new folder for the atlas")
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FeatvizError(f"`{place}` cannot be made: {error.strerror}") from None


def is_atlas(folder: Path) -> bool:
    """Whether a folder holds an atlas, finished or not."""
    try:
        return json.loads((folder / "zarr.json").read_text("utf-8")).get("attributes", {}).get("kind") == KIND
    except (OSError, ValueError, AttributeError):
        return False
