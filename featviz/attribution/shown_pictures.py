"""Where the pictures of an explanation are: those of an atlas first, then drawn ones; and how they were made."""

from dataclasses import dataclass

from featviz.atlas.reading import Atlas
from featviz.attribution.explained_pictures import DIGITS, DrawnFiles, PictureFiles
from featviz.common.canonical import digest
from featviz.errors import FeatvizError
from featviz.objectives import Objective
from featviz.pages.site_files import FileExists


@dataclass(frozen=True)
class ShownPictures:
    """The pictures in a folder of explanations that its pages show.

    Attributes:
        drawn: The names of those that were drawn for the pages.
        atlas: The names of those of an atlas, which are shown where it has them.
        atlas_words: Which atlas, and how its pictures were drawn.
    """

    drawn: DrawnFiles
    atlas: PictureFiles | None = None
    atlas_words: str = ""

    def find(self, objective: Objective, file_exists: FileExists) -> str | None:
        """The file of an objective's picture in the folder, if there is one."""
        of_atlas = () if self.atlas is None else (self.atlas,)
        addresses = (files.address(objective) for files in (*of_atlas, self.drawn))
        return next((address for address in addresses if file_exists(address)), None)

    @property
    def words(self) -> str:
        """How the pictures were made, as pages say it.

        >>> ShownPictures(DrawnFiles("0", (96, 96), 64)).words
        'Pictures are drawn at 96 x 96 px in 64 steps.'
        """
        height, width = self.drawn.size
        own = f"drawn at {width} x {height} px in {self.drawn.steps} steps"
        return f"Pictures are those of {self.atlas_words}; others are {own}." if self.atlas else f"Pictures are {own}."


def show_pictures(drawn: DrawnFiles, atlas: Atlas | None) -> ShownPictures:
    """The pictures of pages: drawn ones, and those of an atlas."""
    if atlas is None:
        return ShownPictures(drawn)
    words = f"the atlas {atlas.store.location}"
    try:
        run = atlas.entries(atlas.plan[0].path).attributes["run"]
        (height, width), steps = run["size"], run["steps"]
        words += f", {width} x {height} px in {steps} steps"
    except (FeatvizError, LookupError, TypeError, ValueError):
        run = {}
    name = digest({"atlas": str(atlas.store.location), "run": run})[:DIGITS]
    return ShownPictures(drawn, PictureFiles(name), words)
