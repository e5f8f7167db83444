"""Parameterizations: what is optimized in place of an image.

A parameterization is a frozen dataclass with three methods over images of `shape` (n, height, width, channels):

- `init(key, shape)` draws parameters, any pytree, whose leaves belong to the n images of a group.
- `to_image(params, shape)` is the image, float32, in (0,1) unless it says otherwise (`bounded`).
- `from_image(image)` are parameters that give the image back as well as it can (`inverse_tolerance`).

To add one, write it in a file of its own and import it below. `PARAMETERIZATIONS` and the tests of this contract
follow from that line.
"""

from featviz.common.pieces import export_imports, list_pieces
from featviz.parameterizations.alpha import Alpha as Alpha
from featviz.parameterizations.base import Parameterization as Parameterization
from featviz.parameterizations.base import Shape as Shape
from featviz.parameterizations.base import extra_channels as extra_channels
from featviz.parameterizations.cppn import CPPN as CPPN
from featviz.parameterizations.fourier import Fourier as Fourier
from featviz.parameterizations.fourier_phase import FourierPhase as FourierPhase
from featviz.parameterizations.laplacian_pyramid import LaplacianPyramid as LaplacianPyramid
from featviz.parameterizations.maco import MACO as MACO
from featviz.parameterizations.maco import Phase as Phase
from featviz.parameterizations.multi_resolution import MultiResolution as MultiResolution
from featviz.parameterizations.natural_pixels import NaturalPixels as NaturalPixels
from featviz.parameterizations.pixels import Pixels as Pixels
from featviz.parameterizations.raw_pixels import RawPixels as RawPixels
from featviz.parameterizations.shared import Shared as Shared
from featviz.parameterizations.spectrum import Spectrum as Spectrum
from featviz.parameterizations.spectrum import load_spectrum as load_spectrum
from featviz.parameterizations.spectrum import natural_spectrum as natural_spectrum
from featviz.parameterizations.spectrum import save_spectrum as save_spectrum

PARAMETERIZATIONS = list_pieces(globals(), Parameterization)

export_imports(globals())
