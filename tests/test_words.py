"""Words: what they mean, when they count, and dreams of them from every door."""

import json
from fractions import Fraction

import pytest
import torch
from conftest import call_cli, run_cli
from safetensors.torch import load_file, save_file
from tiny import Tiny

import dreamvid
from dreamvid.dream.dreamer import Dreamer
from dreamvid.errors import NetworkError, SettingsError
from dreamvid.media import read_picture, write_picture
from dreamvid.networks import network, words
from dreamvid.networks.pocket import EARLIER, EMBEDDED, WORDS, Pocket, WordHead
from dreamvid.networks.weights import read
from dreamvid.objectives import Goal
from dreamvid.objectives.worded import meant
from dreamvid.schedules import Span, places_of, read_cues, shares
from dreamvid.settings import settled

SMALL = ("--size", "64x40", "--octaves", 1, "--iterations", 1, "-q")
FILM = Span(1, Fraction(30))
TRUNK = "1db25dd9f07391dff239bf69d3a10b77c5cedaf5320b2cfc376d96b710ea12a3"
"""The file of the network before it had words, with which jobs may have been begun."""


@pytest.fixture
def seed(tmp_path, picture):
    path = tmp_path / "seed.png"
    write_picture(picture, path)
    return path


@pytest.fixture(scope="module")
def pocket():
    return network("pocket", precision="fp32")


# What words mean.


def test_every_class_has_a_name_of_its_own():
    names = words.names()
    assert len(names) == 1000
    assert len({name.casefold() for name in names}) == 1000
    for number, name in enumerate(names):
        assert words.meaning(name) == {number: 1.0}, name


def test_every_word_means_classes_that_there_are():
    for word, meaning in words.vocabulary().items():
        assert word == word.casefold().strip()
        assert meaning, word
        assert all(0 <= number < 1000 and weight > 0 for number, weight in meaning.items()), word
    for group in words.groups():
        assert all(words.meaning(word) for word in group)


@pytest.mark.parametrize(
    ("plural", "singular"),
    [
        ("volcanoes", "volcano"),
        ("Castles", "castle"),
        ("coral-reefs", "coral reef"),
        ("Wolves", "wolf"),
        ("churches", "church"),
        ("geese", "goose"),
        ("butterflies", "butterfly"),
        ("  city ", "City"),
        ("leaves", "leaf"),
    ],
)
def test_plurals_mean_what_the_singular_means(plural, singular):
    assert words.meaning(plural) == words.meaning(singular)


def test_the_words_are_those_of_the_teacher_in_its_order():
    """Most names are torchvision's own; none is found at another place there."""
    from dreamvid.networks.torchvision.imagenet import imagenet_classes

    theirs = {name.casefold(): number for number, name in enumerate(imagenet_classes())}
    ours = {name.casefold(): number for number, name in enumerate(words.names())}
    shared = set(theirs) & set(ours) - {"crane", "maillot"}
    assert len(shared) > 850
    assert all(theirs[name] == ours[name] for name in shared)


# When they count.


def test_cues_are_read_with_several_words_each_and_an_easing():
    cues = read_cues("0s: forest, wood, 2s: city hold, 90: coral reef", "x")
    assert [cue.texts for cue in cues] == [("forest", "wood"), ("city",), ("coral reef",)]
    assert places_of(cues, FILM, "x") == [0, 60, 90]
    assert [cue.easing for cue in cues] == ["smooth", "hold", "smooth"]
    assert read_cues("volcano, castle", "x")[0].texts == ("volcano", "castle")


def test_shares_pass_from_one_cue_to_the_next_and_add_up():
    cues = read_cues("1s: a linear, 3s: b hold, 4s: c", "x")
    places = places_of(cues, Span(1, Fraction(10)), "x")
    assert shares(cues, places, 0) == shares(cues, places, 10) == {0: 1.0}
    assert shares(cues, places, 15) == {0: 0.75, 1: 0.25}
    assert shares(cues, places, 30) == shares(cues, places, 39) == {1: 1.0}
    assert shares(cues, places, 40) == shares(cues, places, 999) == {2: 1.0}
    assert all(sum(shares(cues, places, n).values()) == pytest.approx(1) for n in range(50))


def test_cues_may_stand_at_beats():
    class Halves:
        def beat_time(self, beat):
            return beat / 2

    film = Span(1, Fraction(30), 0, Halves())  # pyright: ignore
    assert places_of(read_cues("0b: a, 8b: b", "x"), film, "x") == [0, 120]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("volcno", "no word 'volcno'; did you mean 'volcano'?"),
        ("", "no word"),
        (" , ", "no word"),
        ("0s: , 2s: city", "got '0s:' and no word"),
        ("0s: city, 4s: forest, 2s: castle", "frame 60 (castle) comes after frame 120"),
        ("0s: city, 0: forest", "frame 0 (forest) comes after frame 0"),
        ("0b: city, 8b: forest", "the key 0b (city) is a beat, and there is no music"),
        ("city, 4s: forest", "got 'city', expected KEY: WORDS"),
        ("soon: forest", "got 'soon: forest', expected KEY: WORDS"),
        ("a" * 20_000, "20000 characters"),
    ],
)
def test_bad_words_are_told_in_one_line(pocket, text, said):
    with pytest.raises(SettingsError) as caught:
        meant(text, pocket, FILM, "objective.of")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


# What is raised.


def test_the_gain_is_the_words_scores_more_than_all_else():
    scores = torch.randn(2, 1000, generator=torch.Generator().manual_seed(1))
    gain = dreamvid_gain(scores, "castle")
    number = words.names().index("castle")
    assert torch.allclose(gain, scores[:, number] - 0.7 * scores.logsumexp(1), atol=1e-5)
    both = dreamvid_gain(scores, "castle, volcano")
    assert torch.allclose(both, (gain + dreamvid_gain(scores, "volcano")) / 2, atol=1e-5)


def dreamvid_gain(scores, text, **options):
    from dreamvid.objectives import objectives

    at, _ = meant(text, network("pocket", precision="fp32"), FILM, "x")
    return objectives["words"](scores, of=at(0), **options)


def test_a_word_of_several_classes_raises_all_of_them():
    scores = torch.zeros(1, 1000)
    city = words.meaning("city")
    easiest = next(iter(city))
    scores[0, easiest] = 8
    pulls = []
    for evenly in (0.0, 0.5, 1.0):
        raised = scores.clone().requires_grad_()
        dreamvid_gain(raised, "city", against=0.0, evenly=evenly).sum().backward()
        assert raised.grad is not None
        pulls.append(raised.grad[0, list(city)])
        assert raised.grad.sum() == pytest.approx(1)
    assert pulls[0].max() > 0.99
    assert pulls[1].min() > 0.02
    weights = torch.tensor(list(city.values()))
    assert torch.allclose(pulls[2], weights / weights.sum())


def test_words_of_a_network_with_classes_of_its_own_are_their_names(picture):
    net = Tiny()
    goal = Goal(net, {"name": "words", "of": "volcanoes"})
    inputs = net.preprocessing.to_input(picture[None])
    scores = net(inputs, ["scores"])["scores"]
    gain = goal.hill(net.choices(), (60, 92)).gain(inputs, (0, 0))  # pyright: ignore
    assert torch.allclose(gain, scores[:, 1] - 0.7 * scores.logsumexp(1))
    with pytest.raises(SettingsError, match=r"no word 'castle' \(cat, volcano, teapot\)|no word"):
        Goal(net, {"name": "words", "of": "castle"})


def test_a_dream_of_a_word_raises_its_class(pocket, picture):
    asked = {"objective": {"name": "words", "of": "volcano"}, "octaves": {"count": 1}}
    dreamer = Dreamer(pocket, pocket.choices(), settled(asked))
    before, after = (
        pocket(pocket.preprocessing.to_input(each[None]), ["head"])["head"].log_softmax(1)[0]
        for each in (picture, dreamer.still(picture))
    )
    number = words.names().index("volcano")
    assert after[number] > before[number] + 1


def test_words_change_in_the_course_of_a_film(pocket, picture):
    asked = {"objective": {"name": "words", "of": "0: castle, 4: coral reef"}}
    goal = Goal(pocket, asked["objective"], rate=Fraction(30))
    assert goal.moves
    assert not Goal(pocket, {"name": "words", "of": "castle, city"}).moves
    inputs = pocket.preprocessing.to_input(picture[None])
    first, middle, last = (
        goal.hill(pocket.choices(), (60, 92), index).gain(inputs, (0, 0)) for index in (0, 2, 4)
    )
    assert not torch.allclose(first, last)
    assert torch.allclose(middle, (first + last) / 2, atol=1e-5)


# The head in the package.


def test_the_trunk_is_what_it_was_before_it_had_words(pocket):
    found = read(EMBEDDED, "pocket")
    assert found.metadata[EARLIER] == TRUNK
    assert EMBEDDED.stat().st_size <= 6_000_000
    head = {key for key in found.tensors if key.startswith(WORDS)}
    trunk = {key: each for key, each in found.tensors.items() if key not in head}
    plain = Pocket()
    assert set(trunk) == set(plain.state_dict())
    added = sum(found.tensors[key].numel() * found.tensors[key].element_size() for key in head)
    assert added <= 1_500_000
    # The digest of all bytes of the old tensors, by name.
    import hashlib

    digest = hashlib.sha256()
    for key in sorted(trunk):
        digest.update(key.encode() + trunk[key].numpy().tobytes())
    assert digest.hexdigest() == "42f6da0e16334e42fd4f6b076f682988eeaa1533b5c268485f224c705c371fb9"


def test_a_head_of_words_is_no_layer_and_pocket_has_one_of_a_thousand(pocket):
    assert "head" not in pocket.layers
    assert pocket.choices(["*"])[-1].layer == "4d"
    flat = torch.zeros(1, 3, 32, 40)
    assert pocket(flat, ["head"])["head"].shape == (1, 1000)
    assert pocket.classes == words.names()
    assert WordHead(528, 1000)(torch.zeros(2, 528, 7, 5)).shape == (2, 1000, 3, 2)


def test_a_job_begun_before_there_were_words_goes_on(tmp_path, seed):
    out = tmp_path / "film.mp4"
    made = call_cli("zoom", seed, "-o", out, "--frames", 2, *SMALL)
    assert made.returncode == 0, made.stderr
    told = tmp_path / "film.mp4.dream" / "job.json"
    job = json.loads(told.read_text())
    assert job["weights_sha256"] == read(EMBEDDED, "pocket").sha256
    told.write_text(json.dumps({**job, "weights_sha256": TRUNK}))
    longer = call_cli("resume", tmp_path / "film.mp4.dream", "--frames", 3, "-q")
    assert longer.returncode == 0, longer.stderr
    told.write_text(json.dumps({**job, "weights_sha256": "0" * 64}))
    other = call_cli("resume", tmp_path / "film.mp4.dream", "--frames", 4, "-q")
    assert other.returncode == 2
    assert "not those the job began with" in other.stderr


# Every door.


def test_every_command_dreams_of_words(tmp_path, seed):
    clip = tmp_path / "clip.mp4"
    assert call_cli("zoom", seed, "-o", clip, "--frames", 3, *SMALL).returncode == 0
    dreams = {
        "zoom": (seed, "-o", tmp_path / "a.mp4", "--frames", 3),
        "loop": (seed, "-o", tmp_path / "b.mp4", "--frames", 4, "--set", "loop.turns=2"),
        "video": (clip, "-o", tmp_path / "c.mp4"),
        "image": (seed, "-o", tmp_path / "d.png"),
    }
    for command, arguments in dreams.items():
        plain = call_cli(command, *arguments, *SMALL)
        assert plain.returncode == 0, (command, plain.stderr)
        before = arguments[2].read_bytes()
        worded = call_cli(
            command, *arguments, "--of", "0: castle, 2: volcano, city", "--overwrite", *SMALL
        )
        assert worded.returncode == 0, (command, worded.stderr)
        assert arguments[2].read_bytes() != before, command


def test_a_film_of_words_resumes_to_the_same_bytes(tmp_path, seed):
    of = ("--of", "0: castle, 3: coral reef, 5: volcano")
    whole, part = tmp_path / "whole.mp4", tmp_path / "part.mp4"
    assert call_cli("zoom", seed, "-o", whole, "--frames", 6, *of, *SMALL).returncode == 0
    assert call_cli("zoom", seed, "-o", part, "--frames", 2, *of, *SMALL).returncode == 0
    longer = call_cli("resume", tmp_path / "part.mp4.dream", "--frames", 6, "--overwrite", "-q")
    assert longer.returncode == 0, longer.stderr
    frames = [
        [path.read_bytes() for path in sorted((tmp_path / f"{name}.mp4.dream/frames").iterdir())]
        for name in ("whole", "part")
    ]
    assert len(frames[0]) == 6
    assert frames[0] == frames[1]


def test_where_the_mask_is_black_no_word_is_dreamed(tmp_path, seed, picture):
    mask = torch.zeros(3, 60, 92)
    mask[:, :, :46] = 1
    write_picture(mask, tmp_path / "mask.png")
    out = tmp_path / "dream.png"
    options = ("--of", "volcano", "--mask", tmp_path / "mask.png", "-o", out)
    made = call_cli("image", seed, *options, "--octaves", 1, "--iterations", 2, "-q")
    assert made.returncode == 0, made.stderr
    change = (read_picture(out) - read_picture(seed)).abs().amax(0)
    assert change[:, 50:].max() == 0
    assert change[:, :40].mean() > 0.005


def test_between_dreamed_frames_a_cadence_fills_in(tmp_path, seed):
    out = tmp_path / "film.mp4"
    of = ("--of", "0: castle, 4: volcano", "--cadence", 2)
    made = call_cli("zoom", seed, "-o", out, "--frames", 5, *of, *SMALL)
    assert made.returncode == 0, made.stderr


def test_python_dreams_of_words_as_the_command_does(tmp_path, seed):
    ours, theirs = tmp_path / "a.png", tmp_path / "b.png"
    dreamvid.image(seed, ours, of="castle", octaves=1, iterations=1)
    made = call_cli(
        "image", seed, "-o", theirs, "--of", "castle", "--octaves", 1, "--iterations", 1, "-q"
    )
    assert made.returncode == 0, made.stderr
    assert torch.equal(read_picture(ours), read_picture(theirs))


def test_a_sheet_of_words_has_a_cell_for_each(tmp_path, seed):
    out = tmp_path / "sheet.png"
    made = call_cli("sheet", seed, "-o", out, "--of", "castle,volcano,dog", *SMALL)
    assert made.returncode == 0, made.stderr
    assert read_picture(out).shape[2] > 2 * 64
    same = dreamvid.sheet(
        seed,
        tmp_path / "same.png",
        of=["castle", "volcano", "dog"],
        size="64x40",
        across={},
        settings={"octaves": {"count": 1}, "ascent": {"iterations": 1}},
    )
    assert torch.equal(read_picture(same), read_picture(out))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--of", "volcno"), "did you mean 'volcano'?"),
        (("--of", ""), "no word"),
        (("--of", "4s: city, 2s: forest"), "in order"),
        (("--of", "city", "--layer", "3b"), "leave out --layer"),
    ],
)
def test_bad_words_on_the_command_line(tmp_path, seed, options, said):
    made = call_cli("zoom", seed, "-o", tmp_path / "a.mp4", "--frames", 2, *SMALL, *options)
    assert made.returncode == 2
    assert said in made.stderr
    assert made.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["seed.png"]


def test_a_network_without_a_head_says_so_in_one_line(tmp_path, seed):
    trunk = {k: each for k, each in load_file(EMBEDDED).items() if not k.startswith(WORDS)}
    save_file(trunk, tmp_path / "trunk.safetensors")
    weights = ("--weights", tmp_path / "trunk.safetensors")
    made = call_cli("image", seed, "-o", tmp_path / "a.png", "--of", "city", *weights, *SMALL)
    assert made.returncode == 2
    assert "have no class head" in made.stderr
    assert made.stderr.count("\n") == 1
    with pytest.raises(NetworkError):
        dreamvid.image(seed, tmp_path / "a.png", of="city", weights=tmp_path / "trunk.safetensors")


def test_words_are_listed_and_shown():
    listed = call_cli("list", "words").stdout
    assert "coral reef" in listed
    assert "forest" in listed
    assert all(name in listed for name in words.names()[::37])
    shown = call_cli("show", "word", "forests")
    assert shown.stdout.startswith("forests: valley, lakeside, ")
    assert "980" in call_cli("show", "word", "volcano").stdout
    wrong = call_cli("show", "word", "volcno")
    assert wrong.returncode == 2
    assert "did you mean 'volcano'?" in wrong.stderr


def test_words_come_with_the_package():
    assert run_cli("show", "word", "dog").returncode == 0
