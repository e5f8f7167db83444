"""`featviz spectrum PHOTOS -o FILE`: the mean magnitudes of photographs' spectra, for MACO."""

from pathlib import Path

import click

from featviz.cli.exit_status import interruptible, usage_errors
from featviz.cli.options.option_group import PATH
from featviz.cli.options.output_options import out_option, quiet_option
from featviz.cli.tables import echo_skipped


@click.command()
@click.argument("photos", type=PATH)
@out_option("Write this .safetensors file.", metavar="FILE")
@click.option(
    "--size", type=click.IntRange(8, 4096), default=256, show_default=True, help="Measure images of PX pixels a side."
)
@click.option("--gray", is_flag=True, help="Take gray images, of one channel.")
@quiet_option(printed="summary")
def spectrum(photos: Path, out: Path, size: int, gray: bool, quiet: bool) -> None:
    """Measure the mean magnitudes of the spectra of the images in the folder PHOTOS.

    `featviz render --recipe maco_2023 --spectrum FILE` draws with them in place of those that featviz comes with.
    """
    from featviz.common.files import check_suffix, check_writable, write_atomic
    from featviz.parameterizations import save_spectrum
    from featviz.surveys.photos import find_photos
    from featviz.surveys.spectra import measure_spectrum

    with usage_errors():
        check_suffix(out, (".safetensors",))
        check_writable(out)
        find_photos(photos)
    with interruptible(lambda: "stopped; nothing is written"):
        measured, faults = measure_spectrum(photos, size=size, channels=1 if gray else 3, progress=not quiet)
    write_atomic(out, save_spectrum(measured))
    if not quiet:
        click.echo(f"{out}  {measured.values.shape[0]} channels, {size} px")
        echo_skipped(faults)
