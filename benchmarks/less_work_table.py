"""The table of `less_work.py`: costs, scores and E1 of each arm, and its differences from others in pairs."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from featviz.evaluation.sample_statistics import bootstrap_interval

FIRST = "default-128"


def print_table(
    rows: Mapping[str, Mapping[str, Any]], costs: Mapping[str, float], seconds: Mapping[str, float]
) -> None:
    """Each arm against the default, and against the default of as many steps as cost the same, if there is one."""
    titles = ["arm", "units", "cost", "processor s", "score / the default's, median", "E1, 95 %",
              "less than the default's by", "than that of as much work"]  # fmt: skip
    print("\n| " + " | ".join(titles) + " |")
    print("|---" * len(titles) + "|")
    for name, row in rows.items():
        own = np.array(list(row["e1"].values()))
        low, high = bootstrap_interval(own)
        ratio = np.nanmedian([row["score"][unit] / rows[FIRST]["score"][unit] for unit in row["score"]])
        equal = next((other for other in rows if other.startswith("default") and costs[other] == costs[name]), FIRST)
        cells = [name, str(len(own)), f"{costs[name]:.2f}", f"{seconds[name]:.2f}", f"{ratio:.3f}",
                 f"{np.nanmean(own):.3f} [{low:.3f}, {high:.3f}]"]  # fmt: skip
        cells += [difference(rows[FIRST], row) if name != FIRST else "", difference(rows[equal], row)
                  if equal not in (name, FIRST) else ""]  # fmt: skip
        print("| " + " | ".join(cells) + " |")


def difference(first: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """E1 of `first` less that of `row`, in pairs of the same unit, with its interval."""
    values = np.array([first["e1"][unit] - row["e1"][unit] for unit in row["e1"] if unit in first["e1"]])
    low, high = bootstrap_interval(values)
    return f"{np.nanmean(values):+.3f} [{low:+.3f}, {high:+.3f}]"
