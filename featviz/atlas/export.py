"""Export of an atlas: its pictures as files, and its entries as a table."""

import csv
import io
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from featviz.atlas.entry_records import read_pictures
from featviz.atlas.reading import Atlas
from featviz.common.files import check_folder, write_atomic
from featviz.common.progress import progress_bar
from featviz.common.safe_names import distinct_names, safe_name
from featviz.errors import FeatvizError, suggest
from featviz.pages.records import Role

PICTURES, TABLES = ("png", "webp", "npy"), ("csv", "parquet")
COLUMNS = ("layer", "unit", "role", "seed", "score", "outcome", "steps", "faults", "file", "key", "path")
# A line of the table: a value for each column.
Line = dict[str, str | int | float]


def export(
    atlas: Atlas,
    out: str | os.PathLike[str],
    *,
    suffix: str = "png",
    table: str = "csv",
    layers: list[str] | None = None,
    progress: bool = True,
) -> Path:
    """Writes every picture as `OUT/LAYER/UNIT[-ROLE...].png` with its provenance, and a table `OUT/units.csv`.

    The table has one line per picture: the columns of `Atlas.table`, and `file`. Existing files are replaced.

    Args:
      atlas: what is exported.
      out: a folder, which is created.
      suffix: the format of the pictures: "png", "webp" or "npy".
      table: the format of the table: "csv" or "parquet".
      layers: the layers to export; by default all.
      progress: whether a progress bar is shown.

    Returns:
      the table's path.

    Raises:
      FeatvizError: for an unknown format, a layer that the atlas lacks, a Parquet table without pyarrow, or a folder
        that cannot be written.
    """
    for name, value, known in (("suffix", suffix, PICTURES), ("table", table, TABLES)):
        if value not in known:
            raise FeatvizError(f"`{name}` is `{value}`; {suggest(value, known)}")
    for layer in layers or ():
        atlas.find(layer)
    encode = _parquet() if table == "parquet" else _csv
    target = check_folder(out, purpose="the pictures")
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FeatvizError(f"`{target}` cannot be created: {error.strerror}") from None
    found = list(atlas.rows(layers=layers))
    rows = [row for row in found if row.outcome != "damaged"]
    if len(rows) < len(found):
        damaged = next(row for row in found if row.outcome == "damaged")
        warnings.warn(
            f"{len(found) - len(rows)} of {len(found)} entries are damaged and not exported, such as "
            f"{damaged.layer}:{damaged.unit}; run the atlas command again to repair them",
            stacklevel=2,
        )
    lines: list[Line] = []
    folders = {layer: target / safe_name(name) for layer, name in distinct_names(atlas.layers).items()}
    for row in progress_bar(rows, unit="entry", shown=progress):
        folder = folders[row.layer]
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise FeatvizError(f"`{folder}` cannot be created: {error.strerror}") from None
        pictures = read_pictures(atlas.entries(row.path), row.unit)
        for picture, stem in zip(pictures, _stems(row.unit, row.role, row.seed, len(pictures)), strict=True):
            file = picture.save(folder / f"{stem}.{suffix}")
            line: Line = {
                name: getattr(row, name) for name in ("layer", "unit", "seed", "outcome", "steps", "key", "path")
            }
            line |= {"role": row.role.value, "score": picture.score, "faults": "; ".join(row.faults)}
            lines.append(line | {"file": str(file.relative_to(target))})
    return write_atomic(target / f"units.{table}", encode(lines))


def _stems(unit: int, role: Role, seed: int, count: int) -> Iterator[str]:
    """The names of an entry's files, without suffix.

    >>> list(_stems(7, Role.MAIN, 0, 1)), list(_stems(7, Role.SEED, 2, 1)), list(_stems(7, Role.FACET, 0, 2))
    (['7'], ['7-seed2'], ['7-facet0', '7-facet1'])
    """
    for index in range(count):
        match role:
            case Role.MAIN:
                yield str(unit)
            case Role.SEED:
                yield f"{unit}-seed{seed}"
            case _:
                yield f"{unit}-{role.value}" + (str(index) if count > 1 else "")


def _csv(lines: list[Line]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue().encode()


def _parquet() -> Callable[[list[Line]], bytes]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise FeatvizError(
            "a Parquet table needs pyarrow, which is not installed; pip install featviz[parquet]"
        ) from None

    def encode(lines: list[Line]) -> bytes:
        buffer = io.BytesIO()
        columns: dict[str, list[str | int | float] | np.ndarray] = {
            name: [line[name] for line in lines] for name in COLUMNS
        }
        columns["score"] = np.array(columns["score"], np.float32)
        parquet.write_table(pyarrow.table(columns), buffer)
        return buffer.getvalue()

    return encode
