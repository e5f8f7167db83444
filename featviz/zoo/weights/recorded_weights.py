"""How a record names the weights of a network: a file by its base name, a repository of Hugging Face as it is."""

from pathlib import PurePath

PREFIX = "hf-hub:"


def recorded_weights(name: str) -> str:
    """The name under which records and commands keep weights: the same on every machine.

    >>> recorded_weights("/data/vit.safetensors"), recorded_weights("hf-hub:lab/vit@v2")
    ('vit.safetensors', 'hf-hub:lab/vit@v2')
    """
    return name if name.startswith(PREFIX) else PurePath(name).name
