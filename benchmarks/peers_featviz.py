"""One featviz process of `peers.py`: the command line, then one line of JSON with the time of each part.

    python benchmarks/peers_featviz.py render googlenet inception_4c:100-107 --weights FILE --size 128 -o OUT --quiet

The arguments are those of `featviz`. The times come from the progress bar, visible or not. Seconds: `import_s`,
`load_s` (until the optimization is set up), `first_s` (trace, compilation or its cache, and the first 16 steps of the
first lanes), `loop_s` (from there to the last step), `step_ms` (of `loop_s`, per step of one picture; null if all ended
within the first 16 steps).
"""

import json
import sys
import time
from importlib.metadata import version
from typing import Any

STARTED = time.perf_counter()


def watch_bar() -> tuple[list[float], list[tuple[float, int]]]:
    """The times at which progress bars are created, and the times and steps of their updates, in later imports."""
    import tqdm

    created: list[float] = []
    updates: list[tuple[float, int]] = []

    class Watched(tqdm.tqdm):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            created.append(time.perf_counter())
            super().__init__(*arguments, **options)

        def update(self, n: float = 1) -> bool | None:
            updates.append((time.perf_counter(), int(n)))
            return super().update(n)

    tqdm.tqdm = Watched
    return created, updates


def main() -> None:
    created, updates = watch_bar()
    import featviz.rendering.render
    from featviz.cli.main import run

    imported = time.perf_counter()
    run(sys.argv[1:])
    (first, _), (last, _) = updates[0], updates[-1]
    steady = sum(steps for _, steps in updates[1:])
    report = {
        "import_s": imported - STARTED,
        "load_s": created[0] - imported,
        "first_s": first - created[0],
        "loop_s": last - first,
        "step_ms": 1e3 * (last - first) / steady if steady else None,
        "versions": {"featviz": featviz.__version__, "jax": version("jax")},
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
