"""What is optimized in place of an image."""

from featviz.images.parameterization import Fourier, Parameterization, Pixels, Shape

__all__ = ["Fourier", "Parameterization", "Pixels", "Shape"]
