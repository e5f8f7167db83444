"""Atlases that tests share, each rendered once."""

import shutil

import pytest
from support.atlases import OPTIONS, PATTERNS, PATTERNS_STEPS, WITH_SITE

from featviz.atlas.build import build_atlas


@pytest.fixture(scope="session")
def complete(tiny, tmp_path_factory):
    """An atlas of all units of two layers, rendered in one run, the second layer with full pages; not compacted."""
    out = tmp_path_factory.mktemp("complete") / "a"
    return build_atlas(tiny, out=out, full=["conv2"], compact=False, **OPTIONS)


@pytest.fixture
def copied_atlas(complete, tmp_path):
    """The same atlas in a folder that a test may damage."""
    shutil.copytree(complete.store.folder, tmp_path / "a")
    return tmp_path / "a"


@pytest.fixture(scope="session")
def patterns_atlas(patterns, tmp_path_factory):
    """An atlas of the built-in network, rendered in one run in this process."""
    out = tmp_path_factory.mktemp("patterns") / "a"
    return build_atlas(patterns, out=out, steps=PATTERNS_STEPS, site=False, progress=False, **PATTERNS)


@pytest.fixture(scope="session")
def surveyed_atlas(tiny, whole_survey, tmp_path_factory):
    """The folder of an atlas with its site, the second layer with full pages, and photos on them."""
    out = tmp_path_factory.mktemp("surveyed") / "a"
    units = {"conv1": range(6), "conv2": range(8)}
    build_atlas(tiny, out=out, units=units, full=["conv2"], survey=whole_survey, **WITH_SITE)
    return out


@pytest.fixture(scope="session")
def grown_atlas(tiny, tmp_path_factory):
    """An atlas with its site and without a survey, the second layer with full pages; not compacted."""
    out, units = tmp_path_factory.mktemp("grown") / "a", {"conv1": range(20), "conv2": range(3)}
    return build_atlas(tiny, out=out, units=units, full=["conv2"], compact=False, **WITH_SITE)


@pytest.fixture
def grown_copy(grown_atlas, tmp_path):
    """The folder of a copy of it without the site."""
    shutil.copytree(grown_atlas.store.folder, tmp_path / "a", ignore=shutil.ignore_patterns("site"))
    return tmp_path / "a"
