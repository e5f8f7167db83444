"""Where an atlas is drawn: --shard, --engine, and a Ray cluster's workers."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from featviz.cli.options.option_group import Parsed, option_group
from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from featviz.atlas.engines import Engine


@dataclass(frozen=True)
class EngineChoice:
    """An engine, and the share of the plan that it draws, (I, N)."""

    shard: tuple[int, int]
    engine_name: str
    ray_address: str | None
    ray_workers: int | None
    ray_gpus: int | None

    def engine(self) -> "Engine":
        """The engine.

        Raises:
          FeatvizError: if an option for Ray is given to another engine.
        """
        from featviz.atlas.engines import render_locally
        from featviz.atlas.ray.engine import OnRay

        given = (self.ray_address, self.ray_workers, self.ray_gpus) != (None, None, None)
        if given and self.engine_name != "ray":
            raise FeatvizError("--ray-address, --ray-workers and --ray-gpus go with --engine ray")
        return (
            render_locally if self.engine_name == "local" else OnRay(self.ray_address, self.ray_workers, self.ray_gpus)
        )


def parse_shard(text: str) -> tuple[int, int]:
    """`3/8` as (3, 8).

    >>> parse_shard("3/8")
    (3, 8)
    """
    index, _, count = text.partition("/")
    if not index.isdecimal() or not count.isdecimal() or not 1 <= int(index) <= int(count):
        raise FeatvizError(f"--shard is `{text}`; expected I/N, such as 1/4 to 4/4")
    return int(index), int(count)


engine_options = option_group(
    "engine",
    EngineChoice,
    click.option(
        "--shard",
        type=Parsed(parse_shard),
        metavar="I/N",
        default="1/1",
        show_default=True,
        help="Draw the I-th of N shares of the plan.",
    ),
    click.option(
        "--engine",
        "engine_name",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        help="Draw in this process, or on a Ray cluster.",
    ),
    click.option(
        "--ray-address",
        metavar="ADDRESS",
        help="Connect to the Ray cluster at ADDRESS; auto finds it from one of its machines, local starts one.",
    ),
    click.option(
        "--ray-workers",
        type=int,
        metavar="N",
        help="Ask for at most N workers.  [default: as many as the cluster has room for]",
    ),
    click.option(
        "--ray-gpus", type=int, metavar="N", help="Give each worker N GPUs.  [default: one, where there are any]"
    ),
)
