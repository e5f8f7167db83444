"""What is optimized in place of an image."""

from featviz.images.alpha import Alpha
from featviz.images.cppn import Cppn
from featviz.images.layered import LaplacianPyramid, Shared
from featviz.images.maco import Maco, Phase
from featviz.images.parameterization import Fourier, Parameterization, Pixels, Shape, extra_channels
from featviz.images.polar import Polar
from featviz.images.raw import RawPixels
from featviz.images.spectrum import Spectrum, load_spectrum, natural_spectrum, save_spectrum
from featviz.images.stack import Stack

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
