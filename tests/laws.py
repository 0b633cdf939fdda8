"""Laws that every registered thing keeps, whoever wrote it; the tests run them over registries."""

import inspect
import typing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from tiny import Tiny

from dreamvid import media
from dreamvid.dream.ascent import Ascent
from dreamvid.dream.dreamer import Dreamer
from dreamvid.dream.octaves import counted
from dreamvid.dream.report import Report
from dreamvid.film.carries import Situation, carries
from dreamvid.film.sources import Moment
from dreamvid.frames import Clock, Size, noise, quantised, resized, size_of
from dreamvid.jobs.films import settings_for
from dreamvid.jobs.music import follows_music
from dreamvid.media.encoders import encoders
from dreamvid.media.film_writing import encode_film
from dreamvid.motion.motions import composed, flow_of
from dreamvid.motion.optical_flow import Correspondence
from dreamvid.motion.warp import grid
from dreamvid.networks import network
from dreamvid.networks.layers import Choice, ever
from dreamvid.objectives import Goal, objectives
from dreamvid.objectives.registered import Role, options_of_role
from dreamvid.registry import parameters

SIZE = Size(60, 92)


def still_at_the_start(name, options=None):
    """Where no time has passed, nothing has moved."""
    flow = flow_of(composed({name: options or {}}), Clock(0.0, 0.0), SIZE)
    assert flow.shape == (2, *SIZE)
    assert flow.abs().max() <= 1e-4


def as_fast_at_any_rate(name, options=None, fps=24):
    """The same way in two seconds, whatever the frame rate; and in one step."""
    motion = composed({name: options or {}})

    def after_two_seconds(rate):
        points = grid(SIZE)
        for index in range(2 * rate, 0, -1):
            points = motion(points, Clock(index / rate, 1 / rate), SIZE)
        return points

    slow, usual = after_two_seconds(fps), after_two_seconds(30)
    assert usual.isfinite().all()
    torch.testing.assert_close(slow, usual, atol=0.01, rtol=0)
    whole = motion(grid(SIZE), Clock(2.0, 2.0), SIZE)
    torch.testing.assert_close(whole, slow, atol=0.01, rtol=0)


def objective_section(name, folder: Path, picture, *, label=0, channels=5):
    """A section ``objective`` with a value for each option that has to be given."""
    function, tree = objectives[name], {"name": name}
    for option, parameter in parameters(function).items():
        if parameter.default is not inspect.Parameter.empty:
            continue
        if option in options_of_role(function, Role.PICTURE):
            path = folder / "looked-at.png"
            media.write_picture(picture, path)
            tree[option] = str(path)
        elif option in options_of_role(function, Role.LABEL):
            tree[option] = label
        elif option in options_of_role(function, Role.WORDS):
            tree[option] = "volcano"
        elif typing.get_origin(parameter.annotation) is tuple:
            tree[option] = [(-1.0) ** number * (1 + number % 3) for number in range(channels)]
        else:
            raise AssertionError(f"{name}.{option}: a law knows no value for it")
    return tree


def rises(name, picture, folder: Path):
    """Three steps up its gradient make it larger; they need only be short enough."""
    net = Tiny().requires_grad_(False)
    section = objective_section(name, folder, picture.flip(2))
    hill = Goal(net, section).hill([Choice("a", None, 1.0), Choice("b", None, 0.5)], SIZE)
    start = net.preprocessing.to_input(picture[None])
    bounds = (torch.full((1, 3, 1, 1), -1.0), torch.full((1, 3, 1, 1), 1.0))
    begun = net.preprocessing.to_input(picture.flip(1)[None]) if hill.looks_back else None
    looking_back = () if begun is None else (begun,)
    for step in (2 / 255, 2 / 2550, 2 / 25500):
        report = Report()
        settings = settings_for("default").ascent
        ascent = Ascent(hill.gain, settings, bounds, begun=begun)
        after = ascent(start, step, 3, (0,), report)
        before, later = (hill.gain(x, (0, 0), *looking_back) for x in (start, after))
        assert before.shape == later.shape == (1,)
        assert report.steps == 3
        if later > before:
            return
    raise AssertionError(f"{name} does not rise")


def each_picture_has_its_own_gain(name, picture, folder: Path):
    net = Tiny().requires_grad_(False)
    section = objective_section(name, folder, picture.flip(2))
    hill = Goal(net, section).hill([Choice("b")], size_of(picture))
    one, two = picture[None], picture.flip(1)[None]
    together = hill.gain(torch.cat([one, two]), (3, -4))
    alone = torch.cat([hill.gain(one, (3, -4)), hill.gain(two, (3, -4))])
    torch.testing.assert_close(together, alone)


def _situation(picture, index, previous, *, link=True):
    flow = torch.zeros(2, *size_of(picture))
    flow[0] = -1.5
    known = Correspondence(flow, torch.full(tuple(size_of(picture)), 0.8), False)
    earlier = picture.roll(1, 2)
    return Situation(index, Moment(picture, earlier, known if link else None), previous, seed=3)


def carries_as_it_says(name, picture, options=None):
    """The first frame is the source's; frames are independent and need flow as it is declared."""
    carry, options = carries[name], options or {}
    first = carry(Situation(0, Moment(picture), None), **options)
    assert torch.equal(first.frame, picture)
    assert not first.later
    dream = picture.flip(1)
    start = carry(_situation(picture, 4, dream), **options)
    assert start.frame.shape == picture.shape
    assert 0 <= start.frame.min() <= start.frame.max() <= 1
    if carries.independent({"name": name, **options}):
        other = carry(_situation(picture, 5, 1 - dream), **options)
        assert torch.equal(start.frame, other.frame)
        assert (start.draw, start.later, start.fresh) == (other.draw, False, None)
        assert other.later is False
    if not carries.needs_flow({"name": name}):
        blind = carry(_situation(picture, 4, dream, link=False), **options)
        assert torch.equal(start.frame, blind.frame)


def dreamlike(count, size=Size(34, 48)):  # noqa: B008 - a tuple
    """Smooth colours that drift, each frame its own."""
    key = resized(noise(Size(3, 4), (3,), contrast=0.25), size)
    return [quantised(key.roll(index, 2) * (1 - index / 50)) for index in range(count)]


def read_back(path):
    if path.is_dir():
        return [media.read_png(entry) for entry in sorted(path.iterdir())]
    return [
        torch.from_numpy(frame.copy()).permute(2, 0, 1).float() / 255
        for frame in media.frames_of(path)
    ]


def place(folder, name):
    return folder / ("film" if name == "frames" else f"film.{name}")


def gives_back_its_frames(name, folder, *, size, count, options=None, comment="", error=3):
    """As many frames as it took, near to them, with its metadata, and no other file."""
    path = place(folder, name)
    frames, said = dreamlike(count, size), []
    done = encode_film(
        iter(frames),
        path,
        Fraction(24000, 1001),
        options=options or {},
        metadata={"comment": comment},
        say=said.append,
    )
    assert done == count
    assert list(folder.iterdir()) == [path]
    again = read_back(path)
    assert len(again) == count
    needs = encoders[name]().block
    expected = [side + side % block for side, block in zip(size, needs, strict=True)]
    assert again[0].shape[1:] == tuple(expected)
    assert len(said) == (expected != list(size))
    differences = torch.stack(again)[:, :, : size.height, : size.width] - torch.stack(frames)
    assert differences.abs().mean() <= error / 255
    if name != "y4m":  # which has no place for words
        kept = media.read_metadata(path / "000000.png" if name == "frames" else path)
        assert kept["comment"] == comment


def pictures(net, height=None, width=None):
    """A picture (1, 3, H, W) in a network's own units."""
    height = height or max(48, net.smallest_side)
    width = width or height + 16
    generator = torch.Generator().manual_seed(5)
    return net.preprocessing.to_input(torch.rand(1, 3, height, width, generator=generator))


def layers_alone_are_those_among_others(net):
    inputs = pictures(net)
    kept = inputs.clone()
    together = net(inputs, net.layers)
    assert tuple(together) == net.layers
    assert len(set(net.layers)) == len(net.layers)
    assert together[net.favourite].ndim == 4
    for layer in net.layers[:: max(1, len(net.layers) // 4)]:
        alone = net(inputs, [layer])
        assert list(alone) == [layer]
        torch.testing.assert_close(alone[layer], together[layer], rtol=1e-4, atol=1e-5)
    assert torch.equal(inputs, kept)


def the_gradient_reaches_the_picture(net):
    inputs = pictures(net).requires_grad_()
    layer = net.layers[len(net.layers) // 2]
    net(inputs, [layer])[layer].float().square().mean().backward()
    assert inputs.grad is not None
    assert inputs.grad.isfinite().all()
    assert inputs.grad.abs().max() > 0


def the_smallest_picture_is_taken(net):
    side = net.smallest_side
    assert net(pictures(net, side, side + 8), [net.layers[-1]])
    assert net(pictures(net, side + 8, side), [net.layers[-1]])


def preprocessing_is_undone(net):
    picture = torch.rand(1, 3, 5, 7)
    undone = net.preprocessing.to_pictures(net.preprocessing.to_input(picture))
    torch.testing.assert_close(undone, picture)


class Steady:
    """Music in which every curve is a quarter at every frame."""

    def refusal(self, ask):
        return None

    def curve(self, ask, frames, fps):
        return np.full(frames, 0.25)


def preset_dreams(name, picture, net=None, folder=None, size=Size(192, 256)):  # noqa: B008
    """One iteration of each octave: finite, changed, the same when made again; the change."""
    few = {"ascent": {"iterations": 1}, "octaves": {"passes": 1}}
    chosen = settings_for(name).objective
    given = objective_section(chosen["name"], folder, picture.flip(2)) if folder else {}
    few["objective"] = {key: value for key, value in given.items() if key not in chosen}
    settings = counted(settings_for(name, assigned=few), size)
    if follows_music(settings):
        settings = replace(settings, music=Steady())
    net = net or network(settings.network.name, precision="fp32")
    dreamer = Dreamer(net, net.choices([ever(text) for text in settings.network.layers]), settings)
    frame = torch.nn.functional.interpolate(picture[None], tuple(size), mode="bilinear")[0]
    dreams = [dreamer(frame, (0, index)) for index in (0, 1, 1)]
    assert torch.isfinite(dreams[0]).all()
    assert dreamer.report.steps == settings.octaves.count
    assert dreamer.report.skipped == 0
    assert torch.equal(dreams[1], dreams[2])
    assert not torch.equal(dreams[0], frame)
    return dreams[0] - frame
