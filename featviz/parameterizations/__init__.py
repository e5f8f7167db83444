"""What is optimized in place of an image."""

from featviz.parameterizations.alpha import Alpha
from featviz.parameterizations.base import Fourier, Parameterization, Pixels, Shape, extra_channels
from featviz.parameterizations.cppn import Cppn
from featviz.parameterizations.fourier import Spectrum, load_spectrum, natural_spectrum, save_spectrum
from featviz.parameterizations.layered import LaplacianPyramid, Shared
from featviz.parameterizations.maco import Maco, Phase
from featviz.parameterizations.pixels import RawPixels
from featviz.parameterizations.polar import Polar
from featviz.parameterizations.stack import Stack

__all__ = [
    "Alpha",
    "Cppn",
    "Fourier",
    "LaplacianPyramid",
    "Maco",
    "Parameterization",
    "Phase",
    "Pixels",
    "Polar",
    "RawPixels",
    "Shape",
    "Shared",
    "Spectrum",
    "Stack",
    "extra_channels",
    "load_spectrum",
    "natural_spectrum",
    "save_spectrum",
]
