"""One process of `peers.py`: featviz's command line, and after it one line of JSON that says how long each part took.

    python benchmarks/peers_featviz.py render googlenet inception_4c:100-107 --weights FILE --size 128 -o OUT --quiet

The words are those of `featviz`; the command's own `run` gets them. The times come from its progress bar, shown or not.
Seconds: `import_s`, `load_s` (until the optimization is set up), `first_s` (trace, compilation or its cache, and the
first 16 steps of the first lanes), `loop_s` (from there to the last step), `step_ms` (of `loop_s`, for one step of one
picture; none where all ended within the first 16).
"""

import json
import sys
import time
from importlib.metadata import version
from typing import Any

STARTED = time.perf_counter()


def watch_bar() -> tuple[list[float], list[tuple[float, int]]]:
    """When bars are made, and when they are told of how many steps; for the modules imported from here on."""
    import tqdm

    made: list[float] = []
    told: list[tuple[float, int]] = []

    class Watched(tqdm.tqdm):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            made.append(time.perf_counter())
            super().__init__(*arguments, **options)

        def update(self, n: float = 1) -> bool | None:
            told.append((time.perf_counter(), int(n)))
            return super().update(n)

    tqdm.tqdm = Watched
    return made, told


def main() -> None:
    made, told = watch_bar()
    import featviz.rendering.render
    from featviz.cli.main import run

    imported = time.perf_counter()
    run(sys.argv[1:])
    (first, _), (last, _) = told[0], told[-1]
    steady = sum(steps for _, steps in told[1:])
    report = {
        "import_s": imported - STARTED,
        "load_s": made[0] - imported,
        "first_s": first - made[0],
        "loop_s": last - first,
        "step_ms": 1e3 * (last - first) / steady if steady else None,
        "versions": {"featviz": featviz.__version__, "jax": version("jax")},
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
