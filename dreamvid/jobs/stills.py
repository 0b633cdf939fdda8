"""One picture, dreamed."""

from torch import Tensor

from dreamvid.dream.dreamer import Dreamer, dreamer_for
from dreamvid.dream.fitting import with_fitting_octaves
from dreamvid.dream.timeline import check_schedules
from dreamvid.film.finishing import check_picture_mask, finished_picture
from dreamvid.frames import Frame, size_of
from dreamvid.jobs.progress import Progress
from dreamvid.jobs.settling import fitted_to
from dreamvid.settings import Settings
from dreamvid.sizes import parsed_size


def check(settings: Settings) -> None:
    """Raise `SettingsError` for settings that a picture cannot have."""
    check_schedules(settings)
    check_picture_mask(settings)


def dreamed(picture: Frame, settings: Settings, progress: Progress) -> tuple[Frame, Dreamer]:
    """The dream of a picture, at its own size unless one is asked for, and who dreamed it.

    `progress` is told of each step, with the picture as it is then, at the size of its octave.
    """
    seed_size = size_of(picture)
    size = parsed_size(settings.film.size, seed_size) if settings.film.size else None
    dreamer = with_fitting_octaves(
        dreamer_for(settings), size or seed_size, seed_size, progress.say
    )
    settings = dreamer.settings
    if size:
        picture = fitted_to(picture, size, settings)
    progress.begin(0, dreamer.total_steps)

    def watch(steps: int, images: Tensor) -> None:
        seen = dreamer.network.preprocessing.to_pictures(images[:1])[0]
        progress.frame(steps - 1, {"frame": seen.float()})

    dreamer.watch = watch
    frame = finished_picture(settings, picture, dreamer.still(picture))
    if skipped := dreamer.report.skipped:
        progress.say(f"{skipped} steps skipped, gradient not finite")
    return frame, dreamer
