"""Networks that nobody here wrote, through featviz's doors, against their frameworks' own values.

    python experiments/doors.py --list
    python experiments/doors.py -o docs/doors.md
    python experiments/doors.py --only "timm/.*vit" --again

Each network runs in a process of its own, which makes it with random weights, records what all its layers give for two
images, and compares with the Model. Rows are kept (`--rows`), and a second call only runs what is not there; `--again`
runs what `--only` names anew. Networks whose library is not installed are passed over.
`pip install featviz[torch,keras,onnx,equinox] torchvision timm transformers segmentation_models_pytorch monai`.

Hardware: two CPU cores. Time: a quarter of a minute a network. Expected: every error below 1e-4.
"""

import argparse
import json
import multiprocessing
import os
import re
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from door_networks import NETWORKS
from door_networks.comparison import Network, compare
from door_networks.table import write_table

from featviz.errors import FeatvizError, in_one_line

# Processes begin with what takes long to import.
PROCESSES = multiprocessing.get_context("forkserver")
PRELOADED = ["featviz", "torch", "torch.export", "torchvision", "timm", "transformers", "door_networks.torch_values"]
DEFAULT_ROWS = Path.home() / ".cache" / "featviz" / "doors"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="a regular expression: the networks, as --list shows them")
    parser.add_argument("--again", action="store_true", help="run these networks although they have rows")
    parser.add_argument("--list", action="store_true", help="show the networks and end")
    parser.add_argument("--rows", type=Path, default=DEFAULT_ROWS, help="the folder of rows")
    parser.add_argument("--timeout", type=float, default=300, help="seconds for one network")
    parser.add_argument("-o", "--output", type=Path, help="the table's file")
    arguments = parser.parse_args()
    os.environ["KERAS_BACKEND"] = "jax"
    PROCESSES.set_forkserver_preload(PRELOADED)
    arguments.rows.mkdir(parents=True, exist_ok=True)
    for network in NETWORKS:
        if not re.search(arguments.only, key(network)):
            continue
        if arguments.list:
            print(key(network))
            continue
        file = arguments.rows / f"{re.sub(r'[^a-zA-Z0-9.]+', '-', key(network))}.json"
        if arguments.again or not file.exists() or "failed" in json.loads(file.read_text()):
            row = run_apart(network, arguments.timeout)
            print(key(network), summary(row), flush=True)
            if "missing" not in row:
                file.write_text(json.dumps(row, indent=1))
    if arguments.output:
        rows = [json.loads(file.read_text()) for file in arguments.rows.glob("*.json")]
        order = {key(network): index for index, network in enumerate(NETWORKS)}
        known = [row for row in rows if row["key"] in order]
        arguments.output.write_text(write_table(sorted(known, key=lambda row: order[row["key"]])))


def key(network: Network) -> str:
    """How a network is named on the command line.

    >>> key(Network("resnet18", "timm", "torch", lambda: None))
    'torch/timm/resnet18'
    """
    return f"{network.door}/{network.library}/{network.name}"


def run_here(network: Network) -> dict[str, Any]:
    """A network's row: its comparison, or the message that refuses it."""
    try:
        case = network.make()
    except ImportError as error:
        return {"missing": in_one_line(error)}
    try:
        return {"size": list(case.size), **compare(case)}
    except FeatvizError as error:
        return {"size": list(case.size), "refused": str(error)}


def send_row(wanted: str, pipe: Connection) -> None:
    """What a process of one network does."""
    try:
        row = run_here(next(network for network in NETWORKS if key(network) == wanted))
    # Whatever a library raises is what its row says.
    except Exception:
        row = {"failed": traceback.format_exc(limit=-6)}
    pipe.send(row)


def run_apart(network: Network, seconds: float) -> dict[str, Any]:
    """The row of a network that runs in a process of its own, whatever becomes of that."""
    receiving, sending = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=send_row, args=(key(network), sending))
    process.start()
    sending.close()
    try:
        row = receiving.recv() if receiving.poll(seconds) else {"failed": f"not done after {seconds:.0f} s"}
    except EOFError:
        row = {"failed": "the process ended"}
    process.kill()
    process.join()
    return {"key": key(network), "name": network.name, "library": network.library, "door": network.door, **row}


def summary(row: dict[str, Any]) -> str:
    """A row on one line."""
    for reason in ("missing", "refused", "failed"):
        if reason in row:
            return f"{reason.upper()}: {row[reason]}"
    absent = {reason: (len(names), names[:3]) for reason, names in row["absent"].items()}
    return (
        f"{row['compared']}/{row['values']} of {row['layers']}; worst {row['worst']:.1e} {row['layer']}; "
        f"{row['seconds']:.1f} s; absent {absent}{'' if row['unchanged'] else ' CHANGED'}"
        f"{'' if row['output'] else ' NO OUTPUT'} {' '.join(row['said'])}"
    )


if __name__ == "__main__":
    main()
