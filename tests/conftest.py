"""The networks, photos and surveys that tests share; a test that needs one skips where it is not."""

import gc
import os
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.evidence import LAYER, blobs
from support.surveys import IMAGES, LAYERS, make_folder
from support.tiny import Tiny, build

from featviz.model import Model
from featviz.surveys.run_survey import survey
from featviz.zoo.registry import load

# Before any test imports Keras.
os.environ.setdefault("KERAS_BACKEND", "jax")
# Tests compile what they run, and leave nothing in the user's cache folder.
os.environ.setdefault("FEATVIZ_KEEP_PROGRAMS", "0")
# What tests import; networks there need frameworks that may be absent.
collect_ignore = ["support"]

SHARED = Path(os.environ.get("FEATVIZ_TEST_DATA") or Path(__file__).parents[2] / "shared")

NetworkFile = Callable[[str], Path]


def pytest_collection_finish():
    """What is there by now stays to the end: the garbage collector need not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # as the command line has it


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of networks and photos: $FEATVIZ_TEST_DATA, else `shared` beside the repository."""
    if not SHARED.is_dir():
        pytest.skip("no test data: set FEATVIZ_TEST_DATA to the folder that holds networks/ and photos/")
    return SHARED


@pytest.fixture(scope="session")
def network_file(shared: Path) -> NetworkFile:
    """`network_file(name)` is the path of a file under networks/; the test skips if it is not there."""

    def find(name: str) -> Path:
        path = shared / "networks" / name
        if not path.exists():
            pytest.skip(f"no test data: networks/{name} is not in {shared}")
        return path

    return find


@pytest.fixture(scope="session")
def photos(shared: Path) -> list[Path]:
    """The photographs, sorted by class index; their names are INDEX_WNID.jpg."""
    found = sorted((shared / "photos").glob("*.jpg"))
    if not found:
        pytest.skip(f"no test data: no photos/*.jpg in {shared}")
    return found


@pytest.fixture(scope="session")
def googlenet(network_file: NetworkFile) -> Model:
    return load("googlenet", weights=network_file("googlenet.safetensors"))


@pytest.fixture(scope="session")
def squeezenet(network_file: NetworkFile) -> Model:
    return load("squeezenet1_1", weights=network_file("squeezenet_v1_1.safetensors"))


@pytest.fixture(scope="session")
def deit(network_file: NetworkFile) -> Model:
    return load("deit_tiny", weights=network_file("deit_tiny_patch16_224.safetensors"))


@pytest.fixture(scope="session")
def patterns() -> Model:
    return load("patterns")


@pytest.fixture(scope="session")
def tiny():
    return build()


@pytest.fixture(scope="session")
def other_weights():
    """Another checkpoint of `tiny`."""
    return jax.jit(Tiny().init)(jax.random.key(9), jnp.zeros((1, 16, 16, 3)))


@pytest.fixture(scope="session")
def whole_survey(tiny, tmp_path_factory):
    """A finished survey of all images, which came as an array."""
    return survey(tiny, IMAGES, out=tmp_path_factory.mktemp("whole") / "s", layers=LAYERS, progress=False)


@pytest.fixture(scope="session")
def broken_survey(tiny, tmp_path_factory):
    """200 photos in a folder, some of them unreadable, and their survey."""
    path = tmp_path_factory.mktemp("broken")
    photos = make_folder(path / "photos", IMAGES[:200], broken=(0, 17, 130, 199))
    return photos, survey(tiny, photos, out=path / "s", layers=LAYERS, progress=False)


@pytest.fixture(scope="session")
def blob_survey(patterns, tmp_path_factory):
    """A survey of one layer of `patterns` on 60 photographs of blobs."""
    rng = np.random.default_rng(0)
    photos = [blobs(rng) for _ in range(60)]
    return survey(patterns, photos, out=tmp_path_factory.mktemp("blobs") / "s", layers=[LAYER], progress=False)
