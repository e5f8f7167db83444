"""Optimizers and schedules as values: frozen dataclasses with canonical JSON that build optax transformations.

An optimizer is called without arguments and returns the optax transformation that descends minus the objective. Its
`update` takes two extra arguments (`optax.GradientTransformationExtraArgs`): `progress`, from 0 to 1 over the
optimization, and `gradient`, that of minus the objective before any rule has changed it. It works under `vmap`.
Chain optimizers with step rules (`featviz.regularizers`) by `Chain`; wrap any optax transformation in `Custom`.

To add one, write it in a file and import it below. `OPTIMIZERS` or `SCHEDULES` and the tests of this contract follow
from that line.
"""

from featviz.common.pieces import export_imports, list_pieces
from featviz.optimizers.adam import Adam as Adam
from featviz.optimizers.adam import Nadam as Nadam
from featviz.optimizers.base import Optimizer as Optimizer
from featviz.optimizers.base import Schedule as Schedule
from featviz.optimizers.base import image_axes as image_axes
from featviz.optimizers.composition import Chain as Chain
from featviz.optimizers.composition import Custom as Custom
from featviz.optimizers.composition import ScaleBySchedule as ScaleBySchedule
from featviz.optimizers.gradient_descent import SGD as SGD
from featviz.optimizers.gradient_descent import ProgressSGD as ProgressSGD
from featviz.optimizers.normalized_gradient import Normalize as Normalize
from featviz.optimizers.normalized_gradient import NormalizeStd as NormalizeStd
from featviz.optimizers.schedules import Constant as Constant
from featviz.optimizers.schedules import Cosine as Cosine
from featviz.optimizers.schedules import Linear as Linear

OPTIMIZERS = list_pieces(globals(), Optimizer)
SCHEDULES = list_pieces(globals(), Schedule)

export_imports(globals())
