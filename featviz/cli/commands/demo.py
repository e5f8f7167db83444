"""`featviz demo`: the atlas of the built-in network, and its first page in a browser."""

import os
import sys
from pathlib import Path

import click

from featviz.cli.commands.atlas import describe_finished, report_atlas
from featviz.cli.exit_status import interruptible, usage_errors
from featviz.cli.options.output_options import quiet_option

# Large enough to look at, in few steps, as the built-in network's pictures form soon; in 40 their colors are pale yet.
SIZE, STEPS = 128, 64
# The layer whose units have full pages, of nine pictures each: the smallest, and the quickest to draw.
FULL = ["conv1"]


@click.command()
@click.option(
    "-o",
    "--out",
    default="featviz-demo",
    show_default=True,
    metavar="FOLDER",
    help="Write the demo into FOLDER, new or to continue.",
)
@click.option(
    "--open/--no-open",
    "opened",
    default=True,
    help="Open the first page in a browser, where there is one.  [default: --open]",
)
@quiet_option(printed="report")
def demo(out: str, opened: bool, quiet: bool) -> None:
    """Draw every unit of the small network that is built in, as a site.

    It takes two and a half minutes on one CPU core, less on two, and needs no other files. Run again, the command
    continues.
    """
    import webbrowser

    from featviz.atlas.build import build_atlas
    from featviz.common.compilation_cache import use_compilation_cache
    from featviz.zoo.registry import load

    use_compilation_cache()
    with interruptible(lambda: f"stopped; {describe_finished(out)}, and the same command continues"), usage_errors():
        result = build_atlas(load("patterns"), out=out, full=FULL, size=SIZE, steps=STEPS, progress=not quiet)
    if not quiet:
        report_atlas(out, result)
    if opened and has_browser():
        webbrowser.open((Path(out) / "site" / "index.html").resolve().as_uri())


def has_browser() -> bool:
    """Whether a window can be opened: on Linux only where there is a display.

    Without one, Python would start a browser of text, which takes the terminal.
    """
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
