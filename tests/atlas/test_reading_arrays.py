"""An atlas is read as arrays, tables and Zarr groups."""

import numpy as np
import pytest
import zarr

from featviz.errors import FeatvizError
from featviz.pages.records import Role


def test_the_table_and_the_arrays(complete):
    table, done = complete.table(), complete.count()[0]
    assert {len(column) for column in table.values()} == {done} and done == complete.count()[1]
    roles = {role.value for role in Role if role is not Role.SEED}
    assert set(table["role"]) == roles and set(table["layer"]) == {"conv1", "conv2"}
    assert len(set(table["key"])) == done and all(len(key) == 64 for key in table["key"])
    assert complete.pixels("conv1").shape == (80, 16, 16, 3) and complete.pixels("conv1").dtype == np.uint8
    assert complete.pixels("conv2", role=Role.FACET).shape == (8, 4, 16, 16, 3)
    assert np.isfinite(complete.scores("conv1")).all() and complete.scores("conv2", role=Role.FACET).shape == (8, 4)


def test_any_zarr_reader_opens_it(complete):
    group = zarr.open_group(str(complete.store.folder), mode="r")
    assert group.attrs["kind"] == "featviz atlas"
    path = complete.find("conv1").path
    assert np.array_equal(group[f"{path}/pixels"][:], complete.pixels("conv1"))
    assert (
        group[path].attrs["identity"]["network"]["weights_sha256"]
        == complete.picture("conv1:0").provenance["network"]["weights_sha256"]
    )
    xarray = pytest.importorskip("xarray")
    opened = xarray.open_zarr(str(complete.store.folder / path), consolidated=False)
    assert dict(opened.sizes) == {"unit": 80, "y": 16, "x": 16, "channel": 3, "step": 4}
    assert np.array_equal(opened["score"].values, complete.scores("conv1"))
    opened.close()


def test_names_that_the_atlas_lacks(complete):
    with pytest.raises(FeatvizError, match="no layer `conv3`"):
        complete.picture("conv3:0")
    with pytest.raises(FeatvizError, match="no pictures of conv1 in the role `negative`"):
        complete.picture("conv1:0", role=Role.NEGATIVE)
    with pytest.raises(FeatvizError, match="no picture of `conv1:80`"):
        complete.picture("conv1:80")
