"""Laws over the registries, asked of a GPU: all that can be chosen works on its tensors."""

import typing
import wave

import cv2
import numpy as np
import pytest
import torch
from laws import objective_section
from on_gpu import CUDA, DEVICE, MARKS, frames, hashes, made
from test_returning import SIDE, pixels
from test_returning import film as behind_a_pillar
from tiny import Tiny

import dreamvid
from dreamvid import media
from dreamvid.dream.dreamer import Dreamer, dreamer_for
from dreamvid.dream.spaces import spaces
from dreamvid.film import carries as film_carries
from dreamvid.film.carries import carries, carry_for
from dreamvid.film.pipeline import Recurrence, dreamed
from dreamvid.film.returning import returned
from dreamvid.film.sources import FilmSource
from dreamvid.frames import Size, from_pixels, noise, quantised, to_pixels
from dreamvid.jobs import films
from dreamvid.jobs.music import follows_music
from dreamvid.live import running
from dreamvid.live.capture import opened
from dreamvid.live.control import Post
from dreamvid.live.dreaming import LiveDream, with_usual_dream
from dreamvid.live.outputs import Nowhere
from dreamvid.machine.devices import leaving_pixels
from dreamvid.media.film_writing import encode_film
from dreamvid.motion.optical_flow import check_for, method_for
from dreamvid.networks.ensemble import Ensemble
from dreamvid.registry import parameters
from dreamvid.settings import AscentSettings, presets, settled
from dreamvid.studies import axes, explain, measure, sheets

pytestmark = MARKS
SIZE = Size(64, 96)
FEW = {"octaves": {"count": 2}, "ascent": {"iterations": 2}}
ON_DEVICE = {"machine": {"device": DEVICE}}
POCKET = {
    "network": {"name": "pocket", "layers": ["4c"]},
    "ascent": {"iterations": 2, "later": 1},
}
FLAGS = {"octaves": 1, "iterations": 1, "size": "64x48", "device": DEVICE}
CLICK = 4000


def shot(number, moving=12):
    """A picture (64, 96, 3) with a block that goes fast to the right, over one that drifts."""
    wide = to_pixels(noise(Size(64, 160), (4,)))
    picture = np.ascontiguousarray(wide[:, number : number + 96])
    picture[20:44, 4 + moving * number : 28 + moving * number] = (250, 30, 90)
    return picture


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a picture, a mask, a short film and a song in it."""
    folder = tmp_path_factory.mktemp("everything")
    media.write_picture(noise(SIZE, (1,)), folder / "seed.png")
    mask = torch.zeros(3, *SIZE)
    mask[:, :, :48] = 1
    media.write_picture(mask, folder / "mask.png")
    encode_film((from_pixels(shot(number)) for number in range(3)), folder / "clip.gif", 10)
    with wave.open(str(folder / "song.wav"), "wb") as song:
        song.setnchannels(1)
        song.setsampwidth(2)
        song.setframerate(16000)
        sound = 9000 * np.sin(np.arange(48000) * 0.11) * (np.arange(48000) % 8000 < CLICK)
        song.writeframes(sound.astype("<i2").tobytes())
    return folder


def finite(dreamer, count=1, size=SIZE):
    for frame in frames(dreamer, size, count):
        assert frame.isfinite().all()
        assert 0 <= frame.min() <= frame.max() <= 1


def kind_of(name, tree):
    """What a preset is for, by what it sets."""
    if "carry" in tree and "motion" not in tree:
        return "video"
    if name.startswith("gordic-ouroboros"):
        return "loop"
    still = tree.get("octaves", {}).get("count") == 1
    return "image" if still else "zoom"


def with_pocket(tree, place):
    """What is laid over a preset so that it is tiny, and needs no weights."""
    given = {**ON_DEVICE, "octaves": {"passes": 1}, "ascent": {}, "film": {"size": "96x64"}}
    given["ascent"] = {"iterations": 2, "later": 1, "jitter": 8}
    given["octaves"] |= {"count": min(2, tree.get("octaves", {}).get("count", 2)), "smallest": 0}
    network = tree.get("network", {})
    if network.get("name", "pocket") != "pocket":
        given["network"] = {"name": "pocket", "layers": ["4c"], "walk": []}
        given["octaves"]["layers"] = [["3b"], ["4c"]] if "layers" in tree["octaves"] else []
        if "walk" in network:
            given["network"] = {"name": "pocket", "walk": ["4c", "3b"]}
    if tree.get("objective", {}).get("name") == "guide":
        given["objective"] = {"picture": str(place / "seed.png")}
    return given


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_makes_what_it_is_for(name, place, tmp_path):
    tree = presets.load(name)
    given = with_pocket(tree, place)
    if follows_music(films.settings_for(name, assigned=given)):
        given["audio"] = {"files": [str(place / "song.wav")]}
    kind = kind_of(name, tree)
    if kind == "image":
        settings = films.settings_for(name, assigned=given)
        found = films.image(place / "seed.png", tmp_path / "a.png", settings)
        assert media.read_picture(found).std() > 0
        return
    given["film"] |= {} if kind == "video" else {"frames": 3}
    given |= {"loop": {"turns": 2}} if kind == "loop" else {}
    settings = films.settings_for(name, assigned=given)
    seed = place / ("clip.gif" if kind == "video" else "seed.png")
    getattr(films, kind)(seed, tmp_path / "a.gif", settings)
    found = hashes(tmp_path / "a.gif.dream")
    assert len(found) == (6 if kind == "loop" else 3)
    assert len(set(found)) > 1


SPACES = {
    **{name: {"name": name} for name in spaces.names()},
    "fourier of noise": {"name": "fourier", "begin": "noise", "crops": 2, "crop": 0.6},
    "phase of the picture": {"name": "phase", "begin": "picture"},
}


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
@pytest.mark.parametrize("update", ["plain", "adam"])
def test_every_space(space, update):
    tree = {"octaves": {"count": 1}, "ascent": {"iterations": 2, "update": update}}
    finite(made(**tree, space=space), 2)


def test_a_space_of_photographs_and_of_places(place, tmp_path):
    photographs = {"name": "phase", "photographs": str(place / "seed.png"), "alpha": True}
    settings = films.settings_for(
        "phase", assigned={**ON_DEVICE, "space": photographs, "ascent": {"iterations": 2}}
    )
    found = films.image(place / "seed.png", tmp_path / "a.png", settings)
    assert media.read_picture(found).isfinite().all()
    held = {"name": "energy", "also": {"x": {"name": "mean", "mask": str(place / "mask.png")}}}
    finite(made(**FEW, space={"name": "fourier"}, objective=held))


def choices_of(settings):
    """Each word that an option of a section takes, by the option."""
    for name, hint in typing.get_type_hints(settings).items():
        if typing.get_origin(hint) is typing.Literal:
            for value in typing.get_args(hint):
                yield name, value


NUMBERS = (
    ("smoothing", 0.5),
    ("smoothing", "0.4 + 0.1*t"),
    ("gaussian", 1.0),
    ("laplacian", 3),
    ("blur", 0.6),
    ("clamp", False),
    ("strength", 1.6),
    ("step_size", [1.0, -1.5]),
    ("step_size", "1 + t"),
    ("jitter", "4 + 2*t"),
    ("iterations", [2, 1]),
)


@pytest.mark.parametrize("option", [*choices_of(AscentSettings), *NUMBERS], ids=str)
@pytest.mark.parametrize("precision", ["fp32", "bf16"] if CUDA else ["fp32"])
def test_every_option_of_the_ascent(option, precision):
    tree = {"octaves": {"count": 2}, "ascent": {"iterations": 2, **dict([option])}}
    dreamer = made(**tree, machine={"precision": precision})
    start = noise(SIZE, (0,)).to(DEVICE)
    fresh = torch.zeros(*SIZE)
    fresh[10:40, 20:60] = 1
    lift = torch.full(tuple(SIZE), 1.5, device=DEVICE)
    for index in range(2):
        assert dreamer(start, (0, index), bool(index), fresh, index, lift).isfinite().all()


NETWORKS = {
    "octaves of their own": {"octaves": {"count": 2, "layers": [["3b"], ["4c:3", "4a=0.5"]]}},
    "weights of octaves": {"octaves": {"count": 2, "weights": [2.0, "1 + t"]}},
    "merged": {"octaves": {"count": 2, "enlarge": "merged", "blur": 0.5, "align": "centres"}},
    "whole": {"octaves": {"count": 2, "enlarge": "whole", "sizes": "rounded", "passes": 2}},
    "a walk": {"network": {"walk": ["4c", "3b"]}},
    "channels in turn": {"network": {"layers": ["4c:walk(3,5,7, 0.03s)"]}},
    "a weight that changes": {"network": {"layers": ["4c=1 + t", "3b=where(t > 0, 1, 0)"]}},
    "tiles": {"machine": {"tile": 64}, "network": {"layers": ["conv2"]}},
    "plain kernels": {"machine": {"kernels": "plain", "precision": "fp16"}},
}


@pytest.mark.parametrize("tree", NETWORKS.values(), ids=NETWORKS)
def test_layers_and_octaves(tree):
    sections = {**FEW, **tree}
    dreamer = made(**sections)
    start = noise(SIZE, (0,)).to(DEVICE)
    for index in range(3):
        assert dreamer(start, (0, index), bool(index), None, index).isfinite().all()


@pytest.mark.parametrize("at_once", [1, 2])
@pytest.mark.parametrize("kind", ["zoom", "loop"])
def test_a_film_that_wanders(kind, at_once, place, tmp_path):
    tree = {**ON_DEVICE, **FEW, "network": {"wander": 0.05, "at_once": at_once}}
    tree |= {"film": {"size": "96x64", "frames": 3}, "loop": {"turns": 2}}
    settings = films.settings_for(assigned={**tree, "octaves": {"count": 2, "smallest": 0}})
    getattr(films, kind)(place / "seed.png", tmp_path / "a.gif", settings)
    assert len(hashes(tmp_path / "a.gif.dream")) == (6 if kind == "loop" else 3)


LOOPS = {
    "relaxation": {"loop": {"turns": 2, "closing": "relaxation"}},
    "that stands still": {"loop": {"turns": 2}, "motion": {"zoom": {"rate": 1.0}, "hold": {}}},
}


@pytest.mark.parametrize("tree", LOOPS.values(), ids=LOOPS)
def test_ways_to_close_a_loop(tree, tmp_path):
    film = {"size": "96x64", "frames": 3}
    given = {**ON_DEVICE, **tree, "film": film, "octaves": {"count": 2}}
    settings = films.settings_for("google-2015", assigned={**given, **POCKET})
    films.loop(None, tmp_path / "a.gif", settings)
    assert len(hashes(tmp_path / "a.gif.dream")) == 6


ZOOMS = {
    "a living picture": {"motion": {"hold": {}}},
    "shrinking": {"motion": {"zoom": {"rate": 0.4}}, "film": {"anchor": 0.3}},
    "between": {"film": {"cadence": 3, "frames": 4}},
    "fading": {"film": {"fade_in": 2, "fade_out": 2, "frames": 4}},
    "by turbo": {"turbo": {"dream": "turbo", "refine": 1}},
    "in depth": {"motion": {"camera": {}}},
    "in tiles": {"machine": {"device": DEVICE, "tile": 48}},
}


@pytest.mark.parametrize("tree", ZOOMS.values(), ids=ZOOMS)
def test_ways_to_fall(tree, place, tmp_path):
    film = {"size": "96x64", "frames": 3, **tree.get("film", {})}
    octaves = {"count": 2, "smallest": 0}
    name = "quick" if "motion" not in tree else "google-2015"
    network = {"name": "pocket", "layers": ["4c"]} if "motion" in tree else {}
    if "hold" in tree.get("motion", {}):
        network = {"name": "pocket", "layers": []}
    given = {**ON_DEVICE, **tree, "film": film, "octaves": octaves, "network": network}
    given["ascent"] = {"iterations": 2, "later": 1}
    if "motion" in tree:
        given["motion"] = {"zoom": {"rate": 1.0}, **tree["motion"]}
    settings = films.settings_for(name, assigned=given)
    films.zoom(place / "seed.png", tmp_path / "a.gif", settings)
    assert len(hashes(tmp_path / "a.gif.dream")) == film["frames"]


CARRIES = {
    **{name: {"name": name} for name in carries.names()},
    **{
        f"{name} {option} {value}": {"name": name, option: value}
        for name in carries.names()
        for option, parameter in parameters(carries[name]).items()
        for value in typing.get_args(parameter.annotation)
        if typing.get_origin(parameter.annotation) is typing.Literal
        if value != parameter.default
    },
}


def dreamed_over(shots, carry, memory=0):
    """The film of these pictures, and whether each of its frames is a picture of numbers."""
    tree = {**ON_DEVICE, "octaves": {"count": 1}, "ascent": {"iterations": 1}, "carry": carry}
    settings = films.settings_for("video", assigned=tree)
    kept = {}

    def keep(situation, dream):
        kept[situation.index] = quantised(dream).cpu()
        return dream

    source = FilmSource(
        lambda start: iter(shots[start:]),
        torch.device(DEVICE),
        method=method_for(settings.flow),
        check=check_for(settings.flow),
        memory=memory,
    )
    carried = carry_for(settings.carry)
    film = Recurrence(source, carried, dreamer_for(settings), 0, 8, keep, read=kept.__getitem__)
    return [frame.isfinite().all().item() for _, frame in dreamed(film)]


@pytest.mark.parametrize("carry", CARRIES.values(), ids=CARRIES)
def test_every_carry_over_what_moves_fast(carry):
    assert dreamed_over([shot(number) for number in range(4)], carry) == [True] * 4


def test_what_comes_back_gets_its_dream_back(monkeypatch):
    given = []

    def found(*arguments):
        given.append(returned(*arguments))
        return given[-1]

    monkeypatch.setattr(film_carries, "returned", found)
    thing = pixels(3, Size(SIDE, SIDE))
    shots = behind_a_pillar(thing)[::2]
    assert dreamed_over(shots, {"name": "flow", "memory": 2.0}, 60) == [True] * len(shots)
    assert any(each is not None for each in given)


VIDEOS = {
    "a mask": {"video": {"mask": "mask.png"}},
    "its colours": {"video": {"keep_color": True}, "carry": {"name": "none"}},
    "turbo": {"film": {"anchor": 0.2}, "turbo": {"dream": "turbo"}},
    "bars": {"video": {"bars": "dream"}, "carry": {"name": "stillness"}},
}


@pytest.mark.parametrize("tree", VIDEOS.values(), ids=VIDEOS)
def test_ways_to_dream_over_a_film(tree, place, tmp_path):
    tree = {name: dict(section) for name, section in tree.items()}
    if "mask" in tree.get("video", {}):
        tree["video"]["mask"] = str(place / "mask.png")
    settings = films.settings_for("video", assigned={**ON_DEVICE, **FEW, **tree})
    films.video(place / "clip.gif", tmp_path / "a.gif", settings)
    assert len(hashes(tmp_path / "a.gif.dream")) == 3


def test_networks_together_and_scores_of_a_head():
    tiny = Tiny().requires_grad_(False).to(DEVICE)
    both = Ensemble([made().network, tiny])
    settings = settled({**FEW, **ON_DEVICE, "octaves": {"count": 1}})
    finite(Dreamer(both, both.choices(["pocket/4c", f"{tiny.name}/b=0.5"]), settings), 2)
    scores = settled({**FEW, **ON_DEVICE, "objective": {"name": "class_score", "label": 1}})
    finite(Dreamer(tiny, tiny.choices(["b"]), scores), 2)


@pytest.mark.parametrize("refine", [0, 2])
@pytest.mark.parametrize("together", [1, 2])
def test_turbo(refine, together):
    dreamer = made(**FEW, turbo={"dream": "turbo", "refine": refine})
    stack = torch.stack([noise(SIZE, (n,)) for n in range(together)]).to(DEVICE)
    fresh = torch.zeros(*SIZE)
    fresh[:, :40] = 1
    lift = torch.linspace(0, 2, 96, device=DEVICE).expand(64, 96)
    for later, new, far in ((False, None, None), (True, fresh, lift)):
        found = dreamer.batch(stack, (0, 0), later, new, 1, far)
        assert found.isfinite().all()
        assert not torch.equal(found, stack)


def test_turbo_in_tiles_and_in_half_precision():
    finite(made(**FEW, turbo={"dream": "turbo"}, machine={"tile": 64, "precision": "bf16"}), 2)


@pytest.mark.parametrize("dream", ["turbo", "ascent"])
@pytest.mark.parametrize("carry", ["flow", "blend", "none"])
def test_live(dream, carry, place):
    tree = {**ON_DEVICE, **FEW, "carry": {"name": carry}}
    settings = films.settings_for(assigned={**tree, "octaves": {"count": 2, "smallest": 0}})
    settings = settings.changed("turbo", dream=dream)
    asked = running.Asked(str(place / "clip.gif"), settings, SIZE, 0.0, every=True)
    seen = []
    told = running.live(asked, [Nowhere(seen.append)], [], Post())
    assert told.frames == len(seen) == 3, told.why
    # The same in turn, with nothing beside the dream.
    grab, turn = opened(asked.source).grab, LiveDream(settings, SIZE, 0)
    for shown in seen:
        ready = turn.ready(cv2.cvtColor(grab(), cv2.COLOR_BGR2RGB))
        frame = turn(ready.frame(), 1.0, ready.look)
        assert shown.std() > 0
        assert (shown == leaving_pixels(frame)()).all()


def test_live_at_every_level_and_when_it_changes():
    settings = films.settings_for(assigned={**ON_DEVICE, "octaves": {"count": 2, "smallest": 0}})
    dream = LiveDream(with_usual_dream(settings, print), Size(96, 128), 10, fade=3)
    dream.rehearse()
    picture = noise(Size(96, 128), (2,)).to(DEVICE)
    for level in range(len(dream.budget.levels)):
        dream.budget.place = level
        assert dream(picture, 1.3).isfinite().all()
    dream.change(settings.changed("network", layers=("3b",)))
    for _ in range(2):
        assert dream(picture).isfinite().all()


@pytest.mark.parametrize("axis", axes.axes.names())
def test_every_axis_of_a_sheet(axis, place, tmp_path):
    values = {"layers": "3b,4c", "channels": "3,5", "presets": "default,gentle", "of": "volcano"}
    values |= {"networks": "pocket", "steps": "1,2", "octaves": "1,2", "iterations": "1,2"}
    common = {**ON_DEVICE, "film": {"size": "96"}, "octaves": {"count": 1, "smallest": 0}}
    common["ascent"] = {} if axis == "iterations" else {"iterations": 2}
    common["octaves"] = {"smallest": 0} if axis == "octaves" else common["octaves"]
    common["network"] = {"layers": ["4c"]} if axis == "channels" else {}
    asked = axes.Asked(assigned=common, across={axis: values[axis]})
    assert sheets.sheet(place / "seed.png", tmp_path / "sheet.png", asked).exists()


def test_what_looks_at_a_dream(place, tmp_path):
    settings = films.settings_for(assigned={**ON_DEVICE, **FEW, "octaves": {"smallest": 0}})
    found = explain.explain(place / "seed.png", tmp_path / "explained.png", settings)
    assert found.chosen
    assert found.layers
    video = films.settings_for("video", assigned={**ON_DEVICE, **FEW})
    films.video(place / "clip.gif", tmp_path / "dream.gif", video)
    told = measure.measure(place / "clip.gif", tmp_path / "dream.gif", tmp_path / "a.csv", video)
    assert len(told) == 3


def test_the_functions_of_notebooks(place, tmp_path):
    frame = noise(Size(48, 64), (7,))
    array = to_pixels(frame)
    for given in (array, frame, frame.to(DEVICE)):
        dream = dreamvid.image(given, **FLAGS)
        assert dream.shape == given.shape
    for source in (array, frame):
        found = list(dreamvid.frames(source, frames=2, **FLAGS))
        assert [each.shape for each in found] == [tuple(source.shape)] * 2
    found = list(dreamvid.frames(place / "clip.gif", **FLAGS))
    assert len(found) == 3


def test_objectives_with_masks_weights_and_words(place, tmp_path):
    picture = noise(Size(64, 80), (3,))
    words = objective_section("words", tmp_path, picture)
    words["of"] = "0s: castle, 0.05s: volcano"
    guide = objective_section("guide", tmp_path, picture)
    for tree in (words, guide):
        tree["also"] = {
            "here": {"name": "mean", "mask": str(place / "mask.png"), "weight": 2.0},
            "plain": {"name": "smoothness", "weight": 0.1},
        }
        dreamer = made(**FEW, objective=tree)
        start = noise(SIZE, (0,)).to(DEVICE)
        for index in range(3):
            assert dreamer(start, (0, index), bool(index), None, index).isfinite().all()
