"""`featviz spectrum PHOTOS -o FILE`: the mean magnitudes of photographs' spectra, for MACO."""

from pathlib import Path

import click

from featviz.cli.session import Stopped, stoppable, wrong_command


@click.command()
@click.argument("photos", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="A .safetensors file.")
@click.option("--size", type=click.IntRange(8, 4096), default=256, show_default=True, help="Pixels a side.")
@click.option("--gray", is_flag=True, help="Of gray images, one channel.")
@click.option("--quiet", is_flag=True, help="No progress and no summary.")
def spectrum(photos: Path, out: Path, size: int, gray: bool, quiet: bool) -> None:
    """The mean magnitudes of the spectra of the folder PHOTOS.

    What `--recipe maco_2023 --spectrum FILE` then draws with, in place of those that featviz brings along.
    """
    from featviz.common.files import check_writable, known_suffix, write_whole
    from featviz.parameterizations import save_spectrum
    from featviz.surveys.photos import find_photos
    from featviz.surveys.spectra import measure_spectrum

    with wrong_command():
        known_suffix(out, (".safetensors",))
        check_writable(out)
        find_photos(photos)
    try:
        with stoppable():
            measured, faults = measure_spectrum(photos, size=size, channels=1 if gray else 3, progress=not quiet)
    except KeyboardInterrupt:
        raise Stopped("stopped; nothing is written") from None
    write_whole(out, save_spectrum(measured))
    if not quiet:
        click.echo(f"{out}  {measured.values.shape[0]} channels, {size} px")
        for name, fault in list(faults.items())[:5]:
            click.echo(f"skipped {name}: {fault}", err=True)
        if len(faults) > 5:
            click.echo(f"skipped {len(faults) - 5} more", err=True)
