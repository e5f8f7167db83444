"""Files that other libraries' own classes write, and whether we encode and decode as they do."""

import importlib
import warnings

import numpy as np
import pytest

from featviz.dictionaries import load_dictionary

UNITS, LATENTS = 6, 10


def import_library(package, module):
    """A module of another library; the tests are skipped where it is absent, or does not run with what is installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(module)
    except Exception as error:
        pytest.skip(f"{package} cannot be imported: {error}", allow_module_level=True)


def draw_module(torch, module):
    """A module with drawn parameters and running statistics."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / (1 if parameter.ndim > 1 else 3))
        for name, buffer in module.named_buffers():
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 2, generator=generator)
            elif name.endswith("running_mean"):
                buffer.normal_(generator=generator)
    return module


def check_same(torch, module, path, *, kind, formats, **hints):
    """Our dictionary of a file, after a check that its latents and reconstructions are the module's."""
    x = np.random.default_rng(1).normal(size=(7, UNITS)).astype(np.float32)
    with torch.no_grad():
        encoded = module.encode(torch.from_numpy(x))
        # overcomplete gives pre-activations too.
        latents = encoded[1] if isinstance(encoded, tuple) else encoded
        decoded = module.decode(latents).numpy()
    ours = load_dictionary(path, **hints)
    assert ours.code.name == kind and ours.record.format in formats
    np.testing.assert_allclose(ours.encode(x), latents.numpy(), atol=1e-5)
    np.testing.assert_allclose(ours.reconstruct(x), decoded, atol=3e-5)
    return ours
