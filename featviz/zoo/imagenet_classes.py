"""What the outputs of networks trained on ImageNet stand for."""

from importlib.resources import files


def class_names() -> tuple[str, ...]:
    """The names of the 1000 classes of ImageNet's challenge, each with its synonyms after commas, in logits' order.

    The order is that of WordNet's numbers, which Caffe, torchvision, timm and Keras share. Source: WordNet's lemmas.

    >>> class_names()[340], class_names()[76]
    ('zebra', 'tarantula')
    """
    lines = files("featviz.zoo").joinpath("imagenet.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if not line.startswith("#"))
