"""Build an atlas: plan, run, site; or the site alone."""

import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from tqdm import tqdm

from featviz.atlas.atlas_store import open_store
from featviz.atlas.engines import Engine, local
from featviz.atlas.plan import Units, make_plan, share
from featviz.atlas.ray.engine import OnRay
from featviz.atlas.reading import Atlas, where
from featviz.atlas.revisions import check_network, told
from featviz.atlas.run import run
from featviz.atlas.site_data import SiteData
from featviz.atlas.site_publisher import SitePublisher
from featviz.errors import FeatvizError
from featviz.evaluation.features import Features
from featviz.model import Model, hash_weights
from featviz.recipes import Recipe
from featviz.rendering.checks import Size
from featviz.surveys.survey import Survey


def build_atlas(
    model: Model,
    *,
    out: str | os.PathLike[str],
    layers: Sequence[str] | None = None,
    units: Units | None = None,
    full: Sequence[str] | None = (),
    recipe: Recipe | str | None = None,
    size: Size | None = None,
    steps: int | None = None,
    seed: int = 0,
    dtype: Any = None,
    shard: tuple[int, int] = (1, 1),
    engine: Engine = local,
    survey: Survey | None = None,
    other: Model | Features | None = None,
    copy_photos: bool = False,
    site: bool = True,
    progress: bool = True,
) -> Atlas:
    """A picture of every unit of a network's layers, in a folder that is continued when it is called again.

    Args:
      out: a new folder, or that of an atlas; or an address of object storage, such as s3://bucket/atlas.
      layers: names or patterns (`inception_4*`), by default the network's blocks.
      units: numbers of units, of every layer that has them, or a dict of layers with numbers; by default all.
      full: patterns of those layers whose units also get two more seeds, a group of unlike pictures, the negative
        and the neuron at the center; None for all.
      recipe, size, steps, seed, dtype: as of `render`. Pictures of others stay beside the new ones, a revision of
        their own (`open_atlas`).
      shard: (i, n): draw the i-th of n shares of the plan, from 1 on. They are disjoint and may run at once.
      engine: what draws; by default all devices of this machine. `fv.OnRay()` is for many machines.
      survey: of natural images, whose photographs, statistics and figures the pages then show.
      other: another network, with whose features pictures and photographs are compared; without it no figures.
      copy_photos: whether photographs become part of the site, in place of links to where they are.
      site: whether `out`/site is made; a share makes it if it is the one that completes the plan.

    >>> import featviz as fv, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     atlas = fv.build_atlas(
    ...         fv.load("patterns"), out=folder, layers=["conv1"], units=range(2), size=32, steps=2, progress=False
    ...     )
    ...     print((atlas.store.folder / "site" / "index.html").exists())
    ...     atlas.pixels("conv1")[:2].shape
    True
    (2, 32, 32, 3)

    Raises: FeatvizError for a layer or unit that is not there, a folder that holds something else, such as an atlas of
    another network, or cannot be written, or another run that draws the same units.
    """
    with engine.session() if isinstance(engine, OnRay) else nullcontext():
        plan = make_plan(
            model,
            layers=layers,
            units=units,
            full=full,
            recipe=recipe,
            size=size,
            steps=steps,
            seed=seed,
            dtype=dtype,
            # Workers may be of another kind than this process.
            place=engine.probe() if isinstance(engine, OnRay) else None,
        )
        tasks = share(plan.tasks, model, number=shard[0], count=shard[1])
        store = open_store(where(out), writable=True, create=True)
        check_network(store, plan.tasks[0].series.run["network"])
        if progress and (line := told(store, plan.shared)) is not None:
            tqdm.write(line, file=sys.stderr)
        shown = None
        if site and store.folder is not None:
            gathering = SiteData(Atlas(store, shared=plan.shared), model, survey=survey, other=other)
            shown = SitePublisher(gathering, store.folder / "site", command=plan.command, copy_photos=copy_photos)
        whole = shard == (1, 1)
        run(model, plan, tasks, store, engine=engine, watcher=shown if whole else None, progress=progress)
    made = Atlas(store, shared=plan.shared)
    done, planned = made.count()
    if shown is not None and (whole or done == planned):
        shown.complete()
    return made


def build_site(
    atlas: Atlas,
    model: Model,
    *,
    survey: Survey | None = None,
    other: Model | Features | None = None,
    copy_photos: bool = False,
) -> Path:
    """The site of an atlas anew, from what is there by now; nothing is drawn. Returns its front page.

    The options are those of `build_atlas`.

    Raises: FeatvizError for an atlas in object storage, or one of another network than `model`.
    """
    if atlas.store.folder is None:
        raise FeatvizError(f"`{atlas.store.place}` is no folder; expected an atlas on this machine's disk")
    own = hash_weights(model.weights)
    for each in atlas.plan[:1]:
        drawn = atlas.entries(each["path"]).attributes["run"]["network"]["weights_sha256"]
        if drawn != own:
            raise FeatvizError(
                f"`{atlas.store.place}` is of weights {drawn[:8]}; {model.name}'s are {own[:8]}, expected the same"
            )
    gathering = SiteData(atlas, model, survey=survey, other=other)
    return SitePublisher(gathering, atlas.store.folder / "site", copy_photos=copy_photos).complete()
