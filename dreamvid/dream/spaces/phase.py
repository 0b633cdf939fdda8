"""The space of phases: the light of a picture held, and where it lies dreamed.

Source: Fel et al., "Unlocking Feature Visualization for Deeper Networks with MAgnitude
Constrained Optimization", 2023. A picture's spectrum has a magnitude, which says how much light
there is of each size and direction, and a phase, which says what there is to see. The phase alone
climbs.
"""

from pathlib import Path
from typing import Annotated, Literal

import torch
from torch import Tensor

from dreamvid import media
from dreamvid.dream.spaces.colours import gathered, spread
from dreamvid.dream.spaces.registered import Space, spaces
from dreamvid.dream.spaces.views import Views
from dreamvid.errors import MediaError
from dreamvid.frames import Key, Size, covered, drawn, size_of
from dreamvid.registry import Within

LITTLE = 1e-2
SEEN = 128
"""The side in pixels at which a crop is looked at."""


@spaces.register
def phase(
    pictures: Tensor,
    key: Key | None,
    *,
    begin: Literal["picture", "noise"] = "noise",
    photographs: Path | None = None,
    alpha: bool = False,
    turn: Annotated[float, Within(0, 180)] = 5.0,
    scale: Annotated[float, Within(0, 0.9)] = 0.1,
    crops: Annotated[int, Within(0, 64)] = 2,
    crop: Annotated[float, Within(0.05, 1)] = 0.6,
    noise: Annotated[float, Within(0, 1)] = 0.02,
) -> Space:
    """The same light, other things: how much there is of each frequency stays, its place climbs.

    The magnitudes are the picture's, or the mean of those of `photographs`, a picture or a folder.
    `begin` with the picture's phases, or with those of noise. With `alpha`, what the dream never
    touched is transparent. The other options are those of `fourier`.
    """
    size = size_of(pictures)
    values = spread(pictures)
    held = torch.fft.rfft2(values)
    if photographs is not None and key is not None:
        held = torch.polar(magnitudes(photographs, size, values), held.angle())
    if begin == "noise" and key is not None:
        generator = torch.Generator().manual_seed(drawn((*key, 6), 0, 2**62))
        white = torch.randn(values.shape, generator=generator).to(values)
        drawn_phases = torch.fft.rfft2(white).angle()
        # How light the whole picture is stays.
        drawn_phases[..., 0, 0] = held[..., 0, 0].angle()
        light = held.abs() if photographs else torch.fft.rfft2(periodic(values)).abs()
        held = torch.polar(light, drawn_phases)

    def shown(phases: Tensor) -> Tensor:
        turned = torch.polar(torch.ones_like(phases), _paired(phases, size.width))
        return gathered(torch.fft.irfft2(held * turned, s=tuple(size)))

    # Turned by small random angles, a spectrum changes by as large a share of what varies in it,
    # and that change lies anywhere: here it is what varies elsewhere in the picture.
    halves = (size.height // 2, size.width // 2)
    change = (values - values.mean((2, 3), keepdim=True)).roll(halves, (2, 3))
    moved = (gathered(values + LITTLE * change) - gathered(values)) / LITTLE
    unit = 1 / float(moved.square().mean().sqrt().clamp_min(1e-3))
    views = Views(turn, scale, crops, crop, SEEN, noise)
    return Space(torch.zeros(held.shape).to(values), shown, unit, views, alpha)


def _paired(phases: Tensor, width: int) -> Tensor:
    """Phases (…, H, W // 2 + 1) of a real picture: what mirrors itself has opposite phases.

    Two frequencies of the first column, and of the last one of an even width, are the same one.
    """
    pairs = [0, *([phases.shape[-1] - 1] if width % 2 == 0 else [])]
    columns = phases[..., pairs]
    mirrored = columns.flip(-2).roll(1, -2)
    fixed = phases.clone()
    fixed[..., pairs] = (columns - mirrored) / 2
    return fixed


def periodic(values: Tensor) -> Tensor:
    """`values` (…, H, W) without the jumps from edge to edge, whose mean stays.

    A spectrum takes a picture for one tile of an endless pattern. The jumps put a cross into it,
    which in another place becomes a weave. Source: the periodic component of Moisan, "Periodic plus
    Smooth Image Decomposition", 2011.
    """
    height, width = values.shape[-2:]
    jumps = torch.zeros_like(values)
    across = values[..., -1] - values[..., 0]
    down = values[..., -1, :] - values[..., 0, :]
    jumps[..., 0] += across
    jumps[..., -1] -= across
    jumps[..., 0, :] += down
    jumps[..., -1, :] -= down
    rows = 2 * torch.pi * torch.fft.fftfreq(height, dtype=torch.float64)[:, None]
    columns = 2 * torch.pi * torch.fft.rfftfreq(width, dtype=torch.float64)[None, :]
    curvature = 2 * rows.cos() + 2 * columns.cos() - 4
    curvature[0, 0] = 1  # the mean of the jumps is 0
    smooth = torch.fft.irfft2(torch.fft.rfft2(jumps) / curvature.to(values), s=(height, width))
    return values - smooth


_seen: dict[tuple[Path, Size], Tensor] = {}


def magnitudes(photographs: Path, size: Size, like: Tensor) -> Tensor:
    """The mean magnitudes (1, 3, H, W // 2 + 1) of photographs brought to `size`.

    Raises:
        MediaError: there is no picture, or it cannot be read.
    """
    key = (photographs.absolute(), size)
    if key not in _seen:
        total, paths = torch.zeros(()), pictures_at(photographs)
        for path in paths:
            picture = covered(media.read_picture(path), size)[None]
            total = total + torch.fft.rfft2(periodic(spread(picture))).abs() / len(paths)
        _seen.clear()
        _seen[key] = total
    return _seen[key].to(like)


def pictures_at(path: Path) -> list[Path]:
    """The picture at `path`, or those in a folder, in natural order.

    Raises:
        MediaError: there is none.
    """
    if not path.is_dir():
        return [path]
    files = sorted(path.iterdir(), key=lambda each: media.natural(each.name))
    found = [each for each in files if each.is_file() and media.is_picture(each)]
    if not found:
        raise MediaError(f"space.photographs: {path} holds no picture; put some in it")
    return found
