"""Weights of a network of the zoo from a repository of Hugging Face: safetensors only, with the input of its files."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from featviz.errors import FeatvizError, in_one_line
from featviz.model import InputSpec
from featviz.zoo.weights.hub_files import SERVER, HubRepository, choose_weights, parse_hub_name

SUFFIX = ".safetensors"
# The name that timm and transformers give to a network's weights.
USUAL = "model.safetensors"
# timm's file says how images are normalized under `pretrained_cfg`, that of transformers at its top.
TIMM_CONFIG, TRANSFORMERS_CONFIG = "config.json", "preprocessor_config.json"
MAX_CONFIG = 2**22


class Normalization(NamedTuple):
    """What a repository does to images in [0,1]: `(image * scale - mean) / std`, channels reversed first if `bgr`."""

    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    bgr: bool = False


class HubWeights(NamedTuple):
    """A file of weights in the user's cache, and how its repository normalizes images, where it says so."""

    file: Path
    normalization: Normalization | None

    def adapted(self, spec: InputSpec) -> InputSpec:
        """A network's input with the normalization that the weights were trained on."""
        return spec if self.normalization is None else replace(spec, **self.normalization._asdict())


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
    path, listed = repository.find_file(partial(choose_weights, name, inside=inside, suffixes=(SUFFIX,), usual=USUAL))
    folder = path.rpartition("/")[0]
    found = _normalization(repository, listed, f"{folder}/" if folder else "")
    return HubWeights(repository.fetch_file(path), found)


def _normalization(repository: HubRepository, listed: list[str], folder: str) -> Normalization | None:
    """What the configuration beside the weights says; None where there is none."""
    if folder + TIMM_CONFIG in listed:
        found = _read_config(repository, folder + TIMM_CONFIG).get("pretrained_cfg")
        if isinstance(found, Mapping) and "mean" in found and "std" in found:
            mean, std = (_values(repository, key, found[key]) for key in ("mean", "std"))
            return Normalization(1.0, mean, std)
    if folder + TRANSFORMERS_CONFIG in listed:
        return _of_processor(repository, _read_config(repository, folder + TRANSFORMERS_CONFIG))
    return None


def _of_processor(repository: HubRepository, config: Mapping[str, Any]) -> Normalization | None:
    """What an image processor of transformers does to images in 0..255: rescales them, then normalizes them."""
    for key in ("rescale_offset", "offset"):
        if config.get(key):
            raise FeatvizError(f"`{key}` of {repository.name} is {config[key]!r}; expected none, since it is not read")
    factor = 1 / 255
    if not config.get("do_rescale", True):
        factor = 1.0
    elif config.get("rescale_factor") is not None:
        (factor,) = _values(repository, "rescale_factor", config["rescale_factor"])[:1]
    # 1, not 0.9999..., for the usual factor.
    scale = round(255 * factor, 9)
    bgr = bool(config.get("do_flip_channel_order", False))
    if not config.get("do_normalize", True):
        return Normalization(scale, (0.0,), (1.0,), bgr)
    if "image_mean" not in config or "image_std" not in config:
        return None
    mean, std = (_values(repository, key, config[key]) for key in ("image_mean", "image_std"))
    return Normalization(scale, mean, std, bgr)


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
