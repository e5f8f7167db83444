"""`featviz dictionary fit MODEL PHOTOS --layer NAME -o FILE`, and `read`: dictionaries of a layer's activations."""

from pathlib import Path

import click

from featviz.cli.dictionary_read import read
from featviz.cli.exit_status import interruptible, usage_errors
from featviz.cli.options.engine_options import parse_shard
from featviz.cli.options.network_options import NetworkChoice, network_options
from featviz.cli.options.option_group import PATH, Parsed
from featviz.cli.options.output_options import out_option, quiet_option
from featviz.cli.options.recipe_options import seed_option, size_option

# As `TRAINED` and `CLASSIC` of `featviz/dictionaries/fitting/` name them; a test holds them equal.
KINDS = ("relu", "topk", "batch_topk", "jump_relu", "gated", "matryoshka", "pca", "nmf", "ica", "k_means")


@click.group()
def dictionary() -> None:
    """Fit, read or check a dictionary: a layer's activations in another basis, whose latents are units too."""


dictionary.add_command(read)


@dictionary.command()
@network_options
@click.argument("photos", type=PATH)
@click.option("--layer", required=True, metavar="NAME", help="Fit to the activations of this layer.")
@out_option("Write this .safetensors file.", metavar="FILE")
@click.option("--kind", type=click.Choice(KINDS), default="batch_topk", show_default=True, help="Fit this kind.")
@click.option(
    "--latents",
    type=int,
    metavar="N",
    help="Fit N latents.  [default: 8 for each unit of the layer; 1 for pca, nmf, ica, k_means]",
)
@click.option(
    "-k", type=int, default=32, show_default=True, metavar="K", help="Let K latents fire at a position on average."
)
@click.option("--steps", type=int, default=4000, show_default=True, metavar="N", help="Train for N steps.")
@click.option("--batch", type=int, default=2048, show_default=True, metavar="N", help="Take N positions a step.")
@click.option(
    "--rate", type=float, metavar="X", help="Set the highest learning rate.  [default: by the number of latents]"
)
@click.option("--positions", type=int, metavar="N", help="Draw N positions of each photo.  [default: all]")
@click.option("--class-tokens", is_flag=True, help="Fit to tokens without a place in the image too.")
@click.option("--no-high-norms", is_flag=True, help="Leave out positions with more than four times the median norm.")
@size_option(default="that of the network's training")
@seed_option
@click.option(
    "--activations",
    type=PATH,
    metavar="FOLDER",
    help="Keep activations and the training's state in FOLDER.  [default: FILE.activations]",
)
@click.option(
    "--shard",
    type=Parsed(parse_shard),
    metavar="I/N",
    default="1/1",
    show_default=True,
    help="Harvest the I-th of N shares of the photos, and stop. The command without it takes all shares and fits.",
)
@quiet_option(printed="report")
def fit(
    network: NetworkChoice,
    photos: Path,
    layer: str,
    out: Path,
    kind: str,
    latents: int | None,
    k: int,
    steps: int,
    batch: int,
    rate: float | None,
    positions: int | None,
    class_tokens: bool,
    no_high_norms: bool,
    size: int | tuple[int, int] | None,
    seed: int,
    activations: Path | None,
    shard: tuple[int, int],
    quiet: bool,
) -> None:
    """Fit a dictionary to what a layer of MODEL does on the images of the folder PHOTOS.

    Activations are harvested once: another kind takes them from the same folder. Ctrl-C keeps what is done, and the
    same command continues. NMF, ICA and k-means need scikit-learn (featviz[dictionaries]).
    """
    from featviz.common.compilation_cache import use_compilation_cache

    use_compilation_cache()
    model = network.load()
    from featviz.common.files import check_suffix, check_writable
    from featviz.dictionaries.dictionary_files import save_dictionary
    from featviz.dictionaries.fitting.activation_store import HELD_OUT, TRAIN
    from featviz.dictionaries.fitting.fit_dictionary import Fit, check_fit, fit_with_report
    from featviz.dictionaries.fitting.harvest import harvest
    from featviz.dictionaries.fitting.harvest_shards import Shard
    from featviz.dictionaries.fitting.position_sampling import Sampling
    from featviz.rendering.checks import check_seed, check_size
    from featviz.surveys.photos import find_photos

    chosen = Fit(kind, latents, k, steps, batch, rate, seed)
    with usage_errors():
        check_suffix(out, [".safetensors"])
        check_fit(chosen, model.layer(layer).units)
        check_size(model.input.size if size is None else size, None)
        sampling = Sampling(positions, class_tokens, not no_high_norms, check_seed(seed))
        find_photos(photos)
    check_writable(out)
    folder = out.with_name(f"{out.name}.activations") if activations is None else activations

    def describe_progress() -> str:
        kept = f"{folder} is kept, and the same command continues" if folder.exists() else "nothing is written"
        return f"stopped; {kept}"

    if shard != (1, 1):
        with interruptible(describe_progress):
            store = harvest(
                model, layer, photos, out=folder, sampling=sampling, size=size, shard=Shard(*shard), progress=not quiet
            )
        if not quiet:
            click.echo(f"{store.path}  {store.rows(TRAIN)} positions, and {store.rows(HELD_OUT)} held out")
        return
    with interruptible(describe_progress):
        fitted = fit_with_report(
            model, layer, photos, chosen, sampling, size=size, activations=folder, progress=not quiet
        )
        made = fitted.dictionary
        save_dictionary(out, made)
    if quiet:
        return
    click.echo(f"{out}  {made.code.title}, {made.units} units, {made.latents} latents; activations in {folder}")
    notes = dict(made.record.notes)
    for name in ("photos", "positions", "class tokens", "high norms"):
        click.echo(f"{name}: {notes[name]}")
    for line in (*fitted.report.lines, *([] if fitted.loss is None else [fitted.loss.line])):
        click.echo(line)
