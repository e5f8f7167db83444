"""Penalties on the picture."""

from featviz.regularizers.penalties.image_penalties import PENALTIES as PENALTIES
from featviz.regularizers.penalties.image_penalties import blur_difference as blur_difference
from featviz.regularizers.penalties.image_penalties import frequency_power as frequency_power
from featviz.regularizers.penalties.image_penalties import l1 as l1
from featviz.regularizers.penalties.image_penalties import l2 as l2
from featviz.regularizers.penalties.image_penalties import total_variation as total_variation
from featviz.regularizers.penalties.image_penalties import variation_norm as variation_norm
