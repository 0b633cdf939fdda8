"""A studio: a folder, and all that looks after it."""

from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request

from dreamvid.studio.films import Films
from dreamvid.studio.items import Item, Shelf
from dreamvid.studio.live import Live
from dreamvid.studio.places import Place
from dreamvid.studio.uploads import RefusedError, Uploads
from dreamvid.studio.watching import Watch
from dreamvid.studio.worker import Worker


@dataclass
class Studio:
    """All that the handlers of requests need."""

    place: Place
    shelf: Shelf
    films: Films
    live: Live
    worker: Worker
    watch: Watch
    uploads: Uploads

    @classmethod
    def of(cls, folder: Path) -> "Studio":
        """The studio of a folder; nothing runs yet."""
        place = Place(folder.absolute())
        shelf = Shelf(place)
        films, live, worker = Films(place, shelf), Live(place, shelf), Worker(place)
        watch, uploads = Watch(films, shelf, live), Uploads(place, worker)
        return cls(place, shelf, films, live, worker, watch, uploads)

    def item(self, request: Request, name: str = "id") -> Item:
        """The item that an address names; 404 where there is none."""
        found = self.shelf.items.get(request.path_params[name])
        if found is None:
            raise RefusedError(404, "there is no such thing; it may have been deleted")
        return found
