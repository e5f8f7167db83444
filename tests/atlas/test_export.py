"""Exported files equal the pictures of the atlas, and the table lists them."""

import csv

import numpy as np
import pytest

import featviz as fv
from featviz.atlas.export import export
from featviz.errors import FeatvizError
from featviz.pages.records import Role


def test_export_writes_every_picture_and_a_table(surveyed_atlas, tmp_path):
    atlas = fv.open_atlas(surveyed_atlas)
    written = export(atlas, tmp_path / "e", progress=False)
    rows = list(csv.DictReader(written.read_text().splitlines()))
    assert written.name == "units.csv" and len(rows) == 6 + 8 * 7
    for row in rows[:3]:
        picture = fv.load_picture(tmp_path / "e" / row["file"])
        found = atlas.picture(f"{row['layer']}:{row['unit']}")
        assert np.array_equal(picture.to_uint8(), found.to_uint8()) and picture.score == found.score
        assert row["key"] == next(r.key for r in atlas.rows() if (r.layer, r.unit) == (row["layer"], int(row["unit"])))
    facet = next(row for row in rows if row["role"] == "facet" and row["file"].endswith("facet2.png"))
    group = atlas.pictures(f"conv2:{facet['unit']}", role=Role.FACET)
    assert np.array_equal(fv.load_picture(tmp_path / "e" / facet["file"]).to_uint8(), group[2].to_uint8())
    with pytest.raises(FeatvizError, match="`table` is `xlsx`"):
        export(atlas, tmp_path / "e", table="xlsx", progress=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(FeatvizError, match="is a file; expected a folder for the pictures"):
        export(atlas, tmp_path / "file" / "e", progress=False)


def test_export_as_parquet(surveyed_atlas, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    written = export(fv.open_atlas(surveyed_atlas), tmp_path / "e", table="parquet", suffix="webp", progress=False)
    found = parquet.read_table(written).to_pydict()
    assert len(found["unit"]) == 6 + 8 * 7 and set(found["layer"]) == {"conv1", "conv2"}
    assert (tmp_path / "e" / found["file"][0]).suffix == ".webp"


def test_damaged_entries_are_left_out_with_a_warning(complete, copied_atlas, tmp_path):
    (copied_atlas / complete.find("conv1").path / "pixels" / "c.7.0.0.0").write_bytes(b"??")
    with pytest.warns(
        UserWarning, match="1 of 80 entries are damaged and not exported, such as conv1:7; run the atlas"
    ):
        written = export(fv.open_atlas(copied_atlas), tmp_path / "e", layers=["conv1"], progress=False)
    assert "7" not in {row["unit"] for row in csv.DictReader(written.read_text().splitlines())}
