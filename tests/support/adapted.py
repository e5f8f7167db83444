"""A PyTorch module as a Model, and what is said of it."""

import warnings

import featviz as fv


def adapted(net):
    """The Model of a module that takes 8 x 8 pixels, and the text of each warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = fv.from_torch(net, input=fv.InputSpec(size=8, channels_first=True))
    return model, [str(each.message) for each in caught]
