"""Units that fire on the same photographs: the Jaccard index of the photographs on which each fires."""

import numpy as np
from jaxtyping import Bool, Float

from featviz.circuits.ranking import RankedRows, row_blocks, strongest_per_row

# A unit that fires on more than this share of the photographs fires, for this comparison, on the strongest tenth.
OFTEN, STRONGEST = 0.5, 0.9


def firing(activations: Float[np.ndarray, "photos units"]) -> Bool[np.ndarray, "photos units"]:
    """On which photographs each unit fires: activation above 0, and for units that mostly fire, the strongest tenth.

    Args:
      activations: one number for each photograph and unit, such as `Survey.maxima`; nan does not fire.

    >>> firing(np.array([[0.0, 1.0], [2.0, 2.0], [0.0, 3.0]])).tolist()
    [[False, False], [True, False], [False, True]]
    """
    fires = activations > 0
    often = fires.mean(axis=0) > OFTEN if len(fires) else np.zeros(fires.shape[1], bool)
    if often.any():
        among = activations[:, often]
        fires[:, often] = among > np.nanquantile(among, STRONGEST, axis=0)
    return fires


def co_activation_neighbors(fires: Bool[np.ndarray, "photos units"], count: int) -> RankedRows:
    """For each unit, the `count` others that fire most on the same photographs, with the Jaccard index.

    The index is the number of photographs on which both fire, divided by that on which either does.

    Args:
      fires: as `firing` gives it.
      count: neighbors per unit.

    >>> fires = np.array([[True, True, False], [True, False, False], [False, False, True]])
    >>> [co_activation_neighbors(fires, 2).row(unit) for unit in (0, 2)]
    [[(1, 0.5)], []]
    """
    on = fires.astype(np.float32)
    totals = on.sum(axis=0)
    columns, values = [np.zeros((0, count), np.int32)], [np.zeros((0, count), np.float32)]
    count = min(count, fires.shape[1])
    for rows in row_blocks(fires.shape[1], 24 * max(fires.shape[1], 1)):
        both = on[:, rows].T @ on
        either = totals[rows, None] + totals - both
        shares = both / np.maximum(either, 1)
        shares[np.arange(len(shares)), np.arange(rows.start, rows.start + len(shares))] = 0
        ranked = strongest_per_row(shares, count)
        columns.append(ranked.columns)
        values.append(ranked.values)
    return RankedRows(np.concatenate(columns[1:] or columns), np.concatenate(values[1:] or values))
