"""Weights of a network of the zoo from a repository of Hugging Face: safetensors only, with the input of its files."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from featviz.errors import FeatvizError, in_one_line
from featviz.model import InputSpec
from featviz.zoo.weights.hub_files import SERVER, HubRepository, parse_hub_name

SUFFIX = ".safetensors"
# The name that timm and transformers give to a network's weights.
USUAL = "model.safetensors"
# timm's file says how images are normalized under `pretrained_cfg`, that of transformers at its top.
TIMM_CONFIG, TRANSFORMERS_CONFIG = "config.json", "preprocessor_config.json"
MAX_CONFIG = 2**22


class HubWeights(NamedTuple):
    """A file of weights in the user's cache, and the mean and std of its images, where its repository says them."""

    file: Path
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None

    def adapted(self, spec: InputSpec) -> InputSpec:
        """A network's input with the mean and std that the weights were trained on."""
        if self.mean is None or self.std is None:
            return spec
        # They are of RGB images in [0,1].
        return replace(spec, scale=1.0, bgr=False, mean=self.mean, std=self.std)


def fetch_hub_weights(name: str, *, server: str = SERVER, loopback: bool = False) -> HubWeights:
    """The weights that a name means, fetched if they are not in the user's cache.

    Args:
        name: `hf-hub:OWNER/REPOSITORY`, with a folder or a file behind it, and a revision behind `@`.
        server: Where repositories lie.
        loopback: Whether plain HTTP of this machine is allowed, for tests.

    Raises:
        FeatvizError: If there is no such repository, or it does not hold one file of safetensors there.
    """
    repository, inside = parse_hub_name(name, server=server, loopback=loopback)
    listed = repository.list_files()
    path = _choose(name, listed, inside)
    folder = path.rpartition("/")[0]
    mean, std = _normalization(repository, listed, f"{folder}/" if folder else "")
    return HubWeights(repository.fetch_file(path), mean, std)


def _choose(name: str, listed: list[str], inside: str) -> str:
    """The one file of weights that a name means."""
    if inside in listed:
        if inside.endswith(SUFFIX):
            return inside
        raise FeatvizError(f"`{name}` is not a {SUFFIX} file, the only kind that is read from a repository")
    here = [path for path in listed if path.rpartition("/")[0] == inside and path.endswith(SUFFIX)]
    usual = [path for path in here if path.rpartition("/")[2] == USUAL]
    found = usual or here
    if len(found) == 1:
        return found[0]
    if not found:
        raise FeatvizError(f"`{name}` holds no {SUFFIX} file, the only kind that is read from a repository")
    files = ", ".join(path.rpartition("/")[2] for path in found[:4]) + (", ..." if len(found) > 4 else "")
    raise FeatvizError(f"`{name}` holds {len(found)} {SUFFIX} files ({files}); expected the name of one behind it")


def _normalization(
    repository: HubRepository, listed: list[str], folder: str
) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """The mean and std of the configuration beside the weights; (None, None) where there is none."""
    if folder + TIMM_CONFIG in listed:
        found = _read_config(repository, folder + TIMM_CONFIG).get("pretrained_cfg")
        if isinstance(found, Mapping) and "mean" in found and "std" in found:
            return _values(repository, "mean", found["mean"]), _values(repository, "std", found["std"])
    if folder + TRANSFORMERS_CONFIG in listed:
        config = _read_config(repository, folder + TRANSFORMERS_CONFIG)
        if config.get("do_normalize", True) and "image_mean" in config and "image_std" in config:
            mean = _values(repository, "image_mean", config["image_mean"])
            return mean, _values(repository, "image_std", config["image_std"])
    return None, None


def _read_config(repository: HubRepository, path: str) -> Mapping[str, Any]:
    file = repository.fetch_file(path)
    try:
        if file.stat().st_size > MAX_CONFIG:
            raise ValueError("it is too large")
        config = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise FeatvizError(f"`{path}` of {repository.name} cannot be read: {in_one_line(error)}") from None
    return config if isinstance(config, Mapping) else {}


def _values(repository: HubRepository, key: str, found: Any) -> tuple[float, ...]:
    listed = found if isinstance(found, list) else [found]
    if not listed or not all(isinstance(value, int | float) and not isinstance(value, bool) for value in listed):
        raise FeatvizError(f"`{key}` of {repository.name} is no list of numbers")
    return tuple(float(value) for value in listed)
