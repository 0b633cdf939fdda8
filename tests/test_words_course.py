"""The course in which pocket learns words, on random networks and random pictures."""

import copy

import pytest
import torch

from dreamvid.errors import DreamvidError
from dreamvid.frames import Size, noise
from dreamvid.networks import words
from dreamvid.networks.googlenet import HEAD, GoogLeNet
from dreamvid.networks.pocket import Pocket, WordHead
from dreamvid.training.words import Course, Recipe, Tail, errors, raised, spliced
from dreamvid.training.words.__main__ import begun
from dreamvid.training.words.judging import drawn, judgements
from dreamvid.training.words.lessons import CUT, answered

SMALL = Recipe(
    rounds=10, batch=2, learned=1, lessons=2, again=2, pictures=4, kept=12, remembered=8, alone=1
)


@pytest.fixture(scope="module")
def teacher():
    torch.manual_seed(4)
    return GoogLeNet(1000).eval().requires_grad_(False)


def course(teacher, **changes):
    torch.manual_seed(5)
    student = Pocket().eval().requires_grad_(False)
    pictures = [noise(Size(140, 150), (n,)).mul(255).byte() for n in range(3)]
    return Course(teacher, student, pictures, [3, 500, 999], SMALL._replace(**changes))


def weights(one):
    return {name: value.clone() for name, value in one.head.state_dict().items()}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_the_tail_is_the_rest_of_the_teacher(teacher):
    inputs = torch.randn(2, 3, 96, 128)
    found = teacher(inputs, [CUT, HEAD])
    scores = Tail(teacher)(found[CUT]).mean((2, 3))
    centred = found[HEAD] - found[HEAD].mean(1, keepdim=True)
    torch.testing.assert_close(scores, centred, atol=1e-5, rtol=1e-4)


def test_a_head_that_is_the_tail_has_no_error(teacher):
    tail, features = Tail(teacher), torch.rand(2, 528, 8, 8)
    labels = torch.tensor([7, 8])
    places, gradient, asked = answered(tail, features, lambda scores: labels)
    assert torch.equal(asked, labels)
    torch.testing.assert_close(gradient.abs().mean((1, 2, 3)), torch.ones(2))
    perfect = torch.nn.Module()
    perfect.forward = tail
    for name, error in errors(perfect, features, places, gradient, labels).items():
        assert error < 1e-3, name
    other = errors(WordHead(528, 1000).initialised(), features, places, gradient, labels)
    assert all(other[name] > 0.1 for name in ("places", "mean", "label", "direction1"))


def test_what_is_raised_is_what_the_objective_raises():
    from dreamvid.objectives import objectives
    from dreamvid.objectives.worded import Meant

    scores = torch.randn(1, 1000)
    ours = raised(scores, torch.tensor([5]))
    theirs = objectives["words"](scores, of=(Meant(1.0, (5,), (0.0,)),))
    torch.testing.assert_close(ours, theirs)


def test_features_are_spliced_alike_in_every_pair():
    generator = torch.Generator().manual_seed(1)
    one, two = torch.ones(9, 2, 8, 8), torch.full((9, 2, 8, 8), 3.0)
    (first, second), share = spliced(((one, two), (2 * one, 2 * two)), generator)
    torch.testing.assert_close(second, 2 * first)
    assert ((share >= 0) & (share <= 1)).all()
    assert 0 < share.mean() < 1


def test_a_course_that_goes_on_is_an_unbroken_one(teacher):
    unbroken, begun_anew = course(teacher), course(teacher)
    unbroken.advance()
    state = copy.deepcopy(unbroken.state())
    unbroken.advance()
    begun_anew.restore(state)
    begun_anew.advance()
    assert begun_anew.round == 2
    assert same(weights(unbroken), weights(begun_anew))
    assert same(unbroken.average, begun_anew.average)


def test_before_the_rate_falls_nothing_depends_on_the_number_of_rounds(teacher):
    short, long = course(teacher, rounds=10), course(teacher, rounds=1000)
    before = weights(short)
    for each in (short, long):
        each.advance()
    assert same(weights(short), weights(long))
    assert not same(weights(short), before)
    short.round = 9
    assert short.rate() == 0


def test_the_photographs_must_be_one_of_each_class(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(DreamvidError, match="1 files, expected 1000, one of each class"):
        begun(tmp_path / "t.safetensors", tmp_path, SMALL)


def test_dreams_are_judged_by_the_rank_of_their_class(teacher):
    class Sure(GoogLeNet):
        """Sees the class 3 in everything, then 5."""

        def forward(self, inputs, layers):
            scores = torch.zeros(1, 1000)
            scores[:, [3, 5]] = torch.tensor([2.0, 1.0])
            return {HEAD: scores}

    from dreamvid.networks import network

    net = network("pocket", precision="fp32")
    three, five = judgements(Sure(1000), net, [3, 5], None, side=160)
    assert (three.rank, five.rank) == (1, 2)
    assert three.word == words.names()[3]
    assert three.dream.shape == (3, 100, 160)
    assert drawn(5) == drawn(100)[:5]
    assert len(set(drawn(100))) == 100
