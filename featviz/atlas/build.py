"""Build an atlas: plan, run, site; or its site alone."""

import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from jax.typing import DTypeLike
from tqdm import tqdm

from featviz.atlas.atlas_store import open_store
from featviz.atlas.compaction import compact_finished
from featviz.atlas.engines import Engine, render_locally
from featviz.atlas.plan import make_plan
from featviz.atlas.ray.engine import OnRay
from featviz.atlas.reading import Atlas, parse_location
from featviz.atlas.revisions import check_network, describe_previous
from featviz.atlas.run import run_tasks
from featviz.atlas.sharding import shard_tasks
from featviz.atlas.site_data import SiteData
from featviz.atlas.site_publisher import SitePublisher
from featviz.atlas.unit_selection import Units
from featviz.errors import FeatvizError
from featviz.evaluation.features import Features
from featviz.model import Model, hash_weights
from featviz.recipes import Recipe
from featviz.rendering.checks import Size
from featviz.surveys.survey import Survey, check_survey


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
    dtype: DTypeLike | None = None,
    facets: int | None = None,
    shard: tuple[int, int] = (1, 1),
    engine: Engine = render_locally,
    survey: Survey | None = None,
    other: Model | Features | None = None,
    copy_photos: bool = False,
    site: bool = True,
    compact: bool = True,
    progress: bool = True,
) -> Atlas:
    """Renders a picture of every unit of a network's layers into a folder, and makes a site of them.

    Runs are resumable: another call renders what is missing. A resumed atlas is bit-identical to an uninterrupted one
    on one machine's CPU.

    Args:
      model: the network.
      out: a new folder, or that of an atlas; or an address of object storage, such as s3://bucket/atlas.
      layers: names or patterns (`inception_4*`); by default the network's blocks.
      units: indices of units, for every layer that has them, or layer -> indices; by default all.
      full: patterns of layers whose units also get four facets, the negative, and the neuron at the center; None for
        all layers.
      recipe, size, steps, seed, dtype: as in `render`. Pictures made with other settings are kept, as another revision
        (`open_atlas`).
      facets: how many pictures of each unit that together show what it responds to, 0 to 16; by default 4 on full
        pages. With a survey each is of a cluster of the unit's photographs, of half A (`fv.facets`), so that evidence
        of half B stays clean; else they are optimized to differ (`fv.diverse`).
      shard: (i, n) renders the i-th of n shards of the plan, from 1 on. Shards are disjoint and may run at once.
      engine: what renders; by default all devices of this machine. `fv.OnRay()` uses many machines.
      survey: of natural images, for facets, and for photos, statistics and evidence on the pages.
      other: another network, for the evidence figures; without it there are none.
      copy_photos: whether photos become files of the site instead of links to where they are.
      site: whether `out`/site is made; a shard makes it only if it completes the plan.
      compact: whether the files of a finished layer are gathered in shards of thousands of units at the end.
      progress: whether a progress bar is shown.

    Returns:
      the atlas.

    Raises:
      FeatvizError: for an unknown layer or unit, a folder that cannot be written or holds something else, such as an
        atlas of another network, another run that renders the same units, or a survey of another network.

    >>> import featviz as fv, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     atlas = fv.build_atlas(
    ...         fv.load("patterns"), out=folder, layers=["conv1"], units=range(2), size=32, steps=2, progress=False
    ...     )
    ...     print((atlas.store.folder / "site" / "index.html").exists())
    ...     atlas.pixels("conv1")[:2].shape
    True
    (2, 32, 32, 3)
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
            facets=facets,
            survey=survey,
            # Workers may run on another kind of machine than this process.
            machine=engine.probe() if isinstance(engine, OnRay) else None,
        )
        tasks = shard_tasks(plan.tasks, model, index=shard[0], count=shard[1])
        store = open_store(parse_location(out), writable=True, create=True)
        check_network(store, plan.tasks[0].series.run["network"])
        if progress and (line := describe_previous(store, plan.revision)) is not None:
            tqdm.write(line, file=sys.stderr)
        publisher = None
        if site and store.folder is not None:
            data = SiteData(Atlas(store, revision=plan.revision), model, survey=survey, other=other)
            publisher = SitePublisher(data, store.folder / "site", command=plan.command, copy_photos=copy_photos)
        sharded = shard != (1, 1)
        observer = None if sharded else publisher
        run_tasks(model, plan, tasks, store, engine=engine, survey=survey, observer=observer, progress=progress)
    if compact:
        compact_finished(store, {task.path for task in plan.tasks})
    atlas = Atlas(store, revision=plan.revision)
    done, planned = atlas.count()
    if publisher is not None and (not sharded or done == planned):
        publisher.complete()
    return atlas


def build_site(
    atlas: Atlas,
    model: Model,
    *,
    survey: Survey | None = None,
    other: Model | Features | None = None,
    copy_photos: bool = False,
) -> Path:
    """Makes the site of an atlas again, from what is on disk; nothing is rendered.

    Args:
      atlas: the atlas.
      model: its network.
      survey, other, copy_photos: as in `build_atlas`.

    Returns:
      the path of the front page.

    Raises:
      FeatvizError: for an atlas in object storage, or an atlas or a survey of another network than `model`.
    """
    if atlas.store.folder is None:
        raise FeatvizError(f"`{atlas.store.location}` is not a folder; expected an atlas on this machine's disk")
    check_survey(survey, model)
    weights = hash_weights(model.weights)
    for series in atlas.plan[:1]:
        rendered = atlas.entries(series.path).attributes["run"]["network"]["weights_sha256"]
        if rendered != weights:
            raise FeatvizError(
                f"`{atlas.store.location}` has weights {rendered[:8]}, {model.name} has {weights[:8]}; "
                "expected the same network"
            )
    data = SiteData(atlas, model, survey=survey, other=other)
    return SitePublisher(data, atlas.store.folder / "site", copy_photos=copy_photos).complete()
