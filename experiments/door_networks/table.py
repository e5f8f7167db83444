"""The page `docs/doors.md`, written from rows."""

import re
from collections.abc import Iterable
from importlib import metadata
from itertools import groupby
from typing import Any

# What a row's error must stay below, relative to a layer's largest value.
BAR = 1e-4
DISTRIBUTIONS = {"torch.onnx": "torch", "haiku": "dm-haiku", "stax": "jax"}
DOORS = {
    "torch": "PyTorch", "keras": "Keras", "onnx": "ONNX", "linen": "Flax linen", "nnx": "Flax nnx",
    "equinox": "Equinox", "function": "Functions",
}  # fmt: skip
HEAD = """\
# Networks compared with their frameworks

Networks of other libraries, adapted by featviz, against what their own frameworks compute: {summary}.

Each has random weights, drawn so that nothing in it is trivial: statistics of batch norm, biases, and branches that
begin at zero. For two random images, what each module returns in its framework is compared with the layer of that name:
what hooks of PyTorch see, what Keras's sub-models return, onnxruntime's values of all nodes, Flax's captured
intermediates, recorded calls of Equinox's and Haiku's modules. The units must be on the axis where modules of that kind
have them. The error is `max|a - b| / max|b|` of a layer; all must stay below {bar}. The framework's network must give
the same to the bit after the adaptation as before.

```console
pip install featviz[torch,keras,onnx,equinox] {libraries}
python experiments/doors.py -o docs/doors.md
python experiments/doors.py --only timm/resnet18 --again
```

Every network runs in a process of its own; those of libraries that are not installed are passed over. Adaptation is in
seconds of processor time, on a machine with other work. Layers are more than what is compared where activation
functions are no modules. "Absent" counts the values that are no layers; their reasons are below the tables.
"""


def write_table(rows: list[dict[str, Any]]) -> str:
    """The page for rows in the order of their doors and libraries."""
    compared = [row for row in rows if "worst" in row]
    libraries = sorted({DISTRIBUTIONS.get(row["library"], row["library"]) for row in rows} - {"jax", "keras", "torch"})
    lines = [HEAD.format(summary=_summary(compared), bar=f"{BAR:.0e}", libraries=" ".join(libraries))]
    for door, of_door in groupby(rows, key=lambda row: row["door"]):
        lines.append(f"## {DOORS[door]}\n")
        for library, of_library in groupby(of_door, key=lambda row: row["library"]):
            lines += [f"### {library}{_version(library)}\n", *_section(list(of_library))]
    return "\n".join([*lines, *_remarks(rows)])


def _section(rows: Iterable[dict[str, Any]]) -> list[str]:
    lines = ["| network | image | compared | layers | absent | worst error | at | adaptation, s |", "|---" * 8 + "|"]
    for row in rows:
        if "worst" in row:
            absent = sum(map(len, row["absent"].values()))
            size = " x ".join(map(str, row["size"]))
            lines.append(
                f"| {row['name']} | {size} | {row['compared']} | {row['layers']} | {absent or ''} | {row['worst']:.0e} "
                f"| `{row['layer']}` | {row['seconds']:.1f} |"
            )
    return [*lines, ""]


def _remarks(rows: list[dict[str, Any]]) -> list[str]:
    """What is refused, ends early or is absent, with reasons."""
    lines = ["## Absent\n", "| reason | values | in networks |", "|---|---|---|"]
    reasons: dict[str, dict[str, int]] = {}
    for row in rows:
        for reason, names in row.get("absent", {}).items():
            counts = reasons.setdefault(reason, {})
            counts[row["name"]] = counts.get(row["name"], 0) + len(names)
    for reason, counts in sorted(reasons.items(), key=lambda item: -sum(item[1].values())):
        networks = list(counts)
        shown = ", ".join(networks[:6]) + (f" and {len(networks) - 6} more" if len(networks) > 6 else "")
        lines.append(f"| {reason} | {sum(counts.values())} | {shown} |")
    said = [(row, text) for row in rows for text in row.get("said", ())]
    said += [(row, "not the same in its framework as before") for row in rows if not row.get("unchanged", True)]
    refused = [(row, row.get("refused") or _last_line(row["failed"])) for row in rows if "worst" not in row]
    for title, entries in (("Said at the adaptation", said), ("Refused", refused)):
        if entries:
            lines += ["", f"## {title}\n", "| network | message |", "|---|---|"]
            lines += [f"| {row['library']} {row['name']} | {_plain(text)} |" for row, text in entries]
    return [*lines, ""]


def _summary(rows: list[dict[str, Any]]) -> str:
    """How many networks and values, and the largest error.

    >>> _summary([{"compared": 20, "worst": 1e-6, "name": "a"}, {"compared": 1, "worst": 3e-6, "name": "b"}])
    '2 networks, 21 layers, the worst error 3e-06 (b)'
    """
    worst = max(rows, key=lambda row: row["worst"])
    layers = sum(row["compared"] for row in rows)
    return f"{len(rows)} networks, {layers:,} layers, the worst error {worst['worst']:.0e} ({worst['name']})"


def _version(library: str) -> str:
    try:
        return f" {metadata.version(DISTRIBUTIONS.get(library, library))}"
    except metadata.PackageNotFoundError:
        return ""


def _last_line(text: str) -> str:
    return text.strip().splitlines()[-1]


def _plain(text: str) -> str:
    """A message in a cell of a table, files named from their packages on."""
    return re.sub(r"/\S*/site-packages/", "", " ".join(text.split())).replace("|", "\\|")
