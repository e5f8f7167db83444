"""`featviz prior fit PHOTOS -o FILE`: a denoiser of photographs of one's own."""

from pathlib import Path

import click

from featviz.cli.exit_status import interruptible, usage_errors
from featviz.cli.options.option_group import PATH, Parsed
from featviz.cli.options.output_options import out_option, quiet_option
from featviz.cli.options.recipe_options import seed_option
from featviz.errors import FeatvizError

# Pixels of the smallest crops.
SMALLEST = 16


def parse_sizes(text: str) -> tuple[int, ...]:
    """`64,128`.

    >>> parse_sizes("64,128")
    (64, 128)
    """
    parts = text.split(",")
    if not all(part.isdecimal() and int(part) >= SMALLEST for part in parts):
        raise FeatvizError(f"--sizes is `{text}`; expected pixels from {SMALLEST}, such as 64,128")
    return tuple(map(int, parts))


@click.command()
@click.argument("action", metavar="fit", type=click.Choice(["fit"]))
@click.argument("photos", type=PATH)
@out_option("Write this .safetensors file.", metavar="FILE")
@click.option("--steps", type=click.IntRange(1), default=8000, show_default=True, help="Train for this many steps.")
@click.option("--minutes", type=float, help="Train for this long instead.")
@click.option(
    "--sizes",
    type=Parsed(parse_sizes),
    default="64,128",
    show_default=True,
    metavar="PX,...",
    help="Take crops of these sizes; photographs have 1.42 times as many pixels a side at least.",
)
@click.option("--gray", is_flag=True, help="Take gray images, of one channel.")
@click.option("--batch", type=click.IntRange(1), default=32, show_default=True, help="Take this many crops a step.")
@click.option("--trained-on", metavar="TEXT", help="Keep the photographs' sources and licenses in the file.")
@click.option("--resume", is_flag=True, help="Continue a training that was stopped.")
@seed_option
@quiet_option(printed="summary")
def prior(
    action: str,
    photos: Path,
    out: Path,
    steps: int,
    minutes: float | None,
    sizes: tuple[int, ...],
    gray: bool,
    batch: int,
    trained_on: str | None,
    resume: bool,
    seed: int,
    quiet: bool,
) -> None:
    """Train a denoiser on the photographs of the folder PHOTOS.

    `featviz render --recipe guided --prior FILE` draws with it. Some hundred photographs are enough, at any size above
    182 pixels, or above 46 with --sizes 32. Ctrl-C keeps what is done, and --resume continues.
    """
    from featviz.common.compilation_cache import use_compilation_cache
    from featviz.priors.fit_prior import check_prior_path, checkpoint_path, find_photographs, fit_prior

    use_compilation_cache()
    with usage_errors():
        path = check_prior_path(out)
        find_photographs(photos)

    def describe_progress() -> str:
        kept = checkpoint_path(path)
        return f"stopped; {kept} is kept, and --resume continues" if kept.exists() else "stopped; nothing is written"

    with interruptible(describe_progress):
        record = fit_prior(
            photos,
            out=path,
            steps=steps,
            minutes=minutes,
            sizes=sizes,
            gray=gray,
            batch=batch,
            seed=seed,
            trained_on=trained_on,
            resume=resume,
            progress=not quiet,
        )
    if not quiet:
        loss = "" if record.loss is None else f", loss {record.loss:.3f} on photographs held out"
        click.echo(f"{out}  {record.steps} steps on {record.trained_on}{loss}")
