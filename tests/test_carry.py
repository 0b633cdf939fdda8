from fractions import Fraction

import laws
import pytest
import torch
from conftest import shared
from test_flow import disc_moved, texture

from dreamvid.dream.dreamer import dreamer_for
from dreamvid.errors import SettingsError
from dreamvid.film.carries import Situation, Start, by_motion, carries, carry_for
from dreamvid.film.compositing import keeping_colour, luma_of, masked
from dreamvid.film.hastening import FAST, LIFT, SLOW, hastened
from dreamvid.film.pipeline import Recurrence, dreamed
from dreamvid.film.sources import FilmSource, Moment, StillSource, ahead
from dreamvid.film.together import dreamed_together
from dreamvid.frames import Size, from_pixels, to_pixels
from dreamvid.motion.motions import composed
from dreamvid.motion.optical_flow import Correspondence, correspondence, method_for
from dreamvid.motion.searching import search_for
from dreamvid.settings import settled


def link(shape, dx=0.0, dy=0.0, trust=1.0, cut=False):
    flow = torch.tensor([dx, dy])[:, None, None].expand(2, *shape).contiguous()
    return Correspondence(flow, torch.full(shape, trust), cut)


@pytest.fixture
def clip():
    """Six frames of a texture that moves two pixels to the right and one up with each."""
    return [to_pixels(texture(2 * index, -index)) for index in range(6)]


def film(clip, **options):
    return FilmSource(lambda start: iter(clip[start:]), torch.device("cpu"), **options)


def test_a_still_starts_where_it_was_moved_to(picture):
    carry = by_motion(composed({"pan": {"x": 3 / 92 * 30, "y": 0}}), Fraction(30))
    start = carry(Situation(1, Moment(picture, picture), picture))
    assert start.later
    assert torch.allclose(start.frame[:, :, 3:], picture[:, :, :-3], atol=1e-4)


@pytest.mark.parametrize("name", carries.names())
def test_every_carry_is_what_it_says(name, picture):
    laws.carries_as_it_says(name, picture)


def test_what_carries_declare():
    following = {name for name in carries.names() if carries.needs_flow({"name": name})}
    assert following == {"flow", "stillness"}
    assert carries.independent({"name": "none"})
    assert not carries.independent({"name": "none", "jitter": "free"})
    assert not carries.independent({"name": "blend"})


def test_flow_carries_the_detail_and_nothing_else():
    then, now = texture(0, 0), texture(3, 0)
    dot = torch.zeros_like(then)
    dot[:, 40:44, 60:64] = 0.2
    step = Situation(7, Moment(now, then, link((96, 136), dx=-3)), (then + dot).clamp(0, 1))
    start = carry_for({"name": "flow", "damping": 0.5})(step)
    detail = start.frame - now
    # Three pixels to the right of where it was, half as strong, and nowhere else.
    assert detail[:, 41:43, 64:66].mean() == pytest.approx(0.1, abs=0.01)
    assert detail[:, 41:43, 60:62].abs().max() < 0.02
    assert detail[:, :, 80:].abs().max() < 1e-4
    assert start.later
    assert (start.fresh == 0).all()


def test_flow_carries_nothing_where_it_is_not_trusted(picture):
    half = link(picture.shape[1:])
    half.trust[:, :40] = 0
    dream = (picture + 0.3).clamp(0, 1)
    start = carry_for({"name": "flow", "damping": 1.0})(
        Situation(1, Moment(picture, picture, half), dream)
    )
    assert torch.equal(start.frame[:, :, :40], picture[:, :, :40])
    assert torch.allclose(start.frame[:, :, 40:], dream[:, :, 40:], atol=1e-5)
    assert (start.fresh[:, :40] == 1).all()
    assert (start.fresh[:, 40:] == 0).all()


def test_nothing_crosses_a_cut(picture):
    moment = Moment(picture, picture.flip(2), link(picture.shape[1:], cut=True))
    start = carry_for({})(Situation(5, moment, torch.rand(3, 60, 92)))
    assert start == Start(picture)


def test_blends_are_the_peers(picture):
    other = picture.flip(2)
    for index, share in ((1, 0.5), (2, 0.6), (6, 1.0), (7, 0.9), (10, 0.6), (11, 0.5)):
        step = Situation(index, Moment(picture, other), other)
        start = carry_for({"name": "blend", "pattern": "loop"})(step)
        assert torch.allclose(start.frame, other + share * (picture - other)), index
    start = carry_for({"name": "blend"})(Situation(3, Moment(picture, other), other))
    assert torch.allclose(start.frame, 0.15 * other + 0.85 * picture)
    shares = set()
    for index in range(1, 40):
        step = Situation(index, Moment(torch.ones(3, 4, 6)), torch.zeros(3, 4, 6), seed=1)
        start = carry_for({"name": "blend", "pattern": "random"})(step)
        shares.add(round(float(start.frame.mean()), 3))
    assert shares == {0.5, 0.6, 0.7, 0.8, 0.9, 1.0}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "flwo"}, "did you mean 'flow'"),
        ({"name": "flow", "damping": 1.5}, r"carry\.damping: got 1\.5"),
        ({"name": "none", "damping": 0.5}, r"carry\.damping: no such setting"),
    ],
)
def test_unknown_carries_and_options(options, words):
    with pytest.raises(SettingsError, match=words):
        carry_for(options)


def test_a_film_tells_how_its_frames_hang_together(clip):
    moments = list(film(clip, method=method_for({})).moments(0))
    assert len(moments) == 6
    assert moments[0].earlier is None
    assert moments[0].correspondence is None
    for index, moment in enumerate(moments[1:], 1):
        assert torch.equal(moment.earlier, from_pixels(clip[index - 1]))
        flow = moment.correspondence.flow[:, 12:-12, 12:-12].mean((1, 2))
        assert flow.tolist() == pytest.approx([-2, 1], abs=0.1)


@pytest.mark.parametrize("start", [1, 4, 6])
@pytest.mark.parametrize("follows", [True, False])
def test_a_film_is_the_same_from_any_start(clip, start, follows):
    def mask(_):
        picture = clip[0].copy()
        picture[:, 50:] = 0
        return iter([picture])

    source = film(clip, method=method_for({}), masks=mask, follows=follows)
    whole, part = list(source.moments(0)), list(source.moments(start))
    assert len(part) == 6 - start
    for one, other in zip(whole[start:], part, strict=True):
        assert torch.equal(one.frame, other.frame)
        assert torch.equal(one.mask, other.mask)
        assert torch.equal(one.correspondence.flow, other.correspondence.flow)


def test_a_mask_follows_what_it_lies_on(clip):
    def mask(_):
        picture = clip[0] * 0
        picture[40:60, 40:60] = 255
        return iter([picture])

    followed = list(film(clip, method=method_for({}), masks=mask, follows=True).moments(0))
    rows, columns = torch.nonzero(followed[5].mask > 0.5, as_tuple=True)
    assert float(columns.float().mean()) == pytest.approx(49.5 + 10, abs=0.7)
    assert float(rows.float().mean()) == pytest.approx(49.5 - 5, abs=0.7)
    stays = list(film(clip, masks=mask).moments(0))
    assert torch.equal(stays[5].mask, stays[0].mask)


def test_a_mask_film_keeps_time_and_its_last_frame_holds(clip):
    def masks(start):
        return iter([clip[0] * 0, clip[0] * 0 + 255][start:])

    source = film(clip, masks=masks)
    assert [float(moment.mask.mean()) for moment in source.moments(0)] == [0, 1, 1, 1, 1, 1]
    assert [float(moment.mask.mean()) for moment in source.moments(3)] == [1, 1, 1]


def test_frames_are_made_ready_ahead_and_errors_come_through():
    made = []

    def items():
        try:
            for index in range(10):
                made.append(index)
                yield index
                if index == 6:
                    raise ValueError("torn")
        finally:
            made.append("closed")

    taken = ahead(items(), 2)
    assert next(taken) == 0
    with pytest.raises(ValueError, match="torn"):
        list(taken)
    assert made == [*range(7), "closed"]
    made.clear()
    stopped = ahead(items(), 2)
    next(stopped)
    stopped.close()
    assert made[-1] == "closed"
    assert len(made) < 7


def test_masked_and_coloured(picture):
    dream = picture.flip(1)
    half = torch.zeros(60, 92)
    half[:, 46:] = 1
    shown = masked(picture, dream, half)
    assert torch.equal(shown[:, :, :46], picture[:, :, :46])
    assert torch.equal(shown[:, :, 46:], dream[:, :, 46:])
    coloured = keeping_colour(picture, dream)
    assert torch.allclose(luma_of(coloured), luma_of(dream), atol=1e-5)
    assert coloured.min() >= -1e-6
    assert coloured.max() <= 1 + 1e-6
    # A grey frame stays grey however colourful its dream, and a frame that is its own dream is it.
    assert torch.allclose(*keeping_colour(torch.full_like(picture, 0.4), dream)[:2], atol=1e-6)
    assert torch.allclose(keeping_colour(picture, picture), picture, atol=1e-5)


def settings(**carry):
    return settled(
        {
            "octaves": {"count": 2},
            "ascent": {"iterations": 3, "later": 1, "later_step_size": 0.5, "jitter": 4},
            "network": {"layers": ["3a"]},
            "machine": {"threads": 1},
            "carry": carry,
        }
    )


def dream_over(clip, carry, precision="auto", made_by=dreamed, **options):
    chosen = settings(**carry).changed("machine", precision=precision)
    dreamer = dreamer_for(chosen)
    source = film(clip, method=method_for({}))
    made = made_by(Recurrence(source, carry_for(chosen.carry), dreamer, 1, 8), **options)
    return [frame for _, frame in made], dreamer


def test_fresh_places_take_a_first_frame_s_steps(picture):
    dreamer = dreamer_for(settings())
    calm = dreamer(picture, key=(1,), later=True, fresh=torch.zeros(60, 92))
    plain = dreamer(picture, key=(1,), later=True)
    assert torch.equal(calm, plain)
    fresh = torch.zeros(60, 92)
    fresh[:, 60:] = 1
    mixed = dreamer(picture, key=(1,), later=True, fresh=fresh)
    left, right = (slice(None), slice(None), slice(0, 30)), (..., slice(70, 92))
    ratio = (mixed - picture)[right].abs().mean() / (plain - picture)[right].abs().mean()
    assert ratio > 1.8, "three times the step"
    assert (mixed - plain)[left].abs().mean() < 0.2 * (plain - picture)[left].abs().mean()


def test_a_dream_resumed_from_disk_goes_on_the_same(clip):
    whole, _ = dream_over(clip, {"name": "flow"})
    rest, _ = dream_over(clip, {"name": "flow"}, start=3, previous=whole[2])
    assert all(map(torch.equal, whole[3:], rest))


def test_frames_dreamed_together_are_those_dreamed_alone(clip):
    alone, _ = dream_over(clip, {"name": "none"}, "fp64")
    three = {"made_by": dreamed_together, "count": 3, "stop": len(clip)}
    together, dreamer = dream_over(clip, {"name": "none"}, "fp64", start=0, **three)
    assert len(together) == len(alone) > 4
    worst = max((a - b).abs().max() for a, b in zip(alone, together, strict=True))
    assert worst < 2 / 255, "but for rounding"
    # Begun amidst frames dreamed together, it makes the same.
    rest, _ = dream_over(clip, {"name": "none"}, "fp64", start=4, **three)
    assert all(map(torch.equal, together[4:], rest))
    assert len(rest) == len(clip) - 4
    assert dreamer.together(Size(60, 92)) > 1


def test_a_film_dreamed_together_is_dreamed_no_further_than_asked(clip):
    four = {"made_by": dreamed_together, "count": 4, "start": 0, "stop": 3}
    made, dreamer = dream_over(clip, {"name": "none"}, **four)
    assert len(made) == 3
    assert len(dreamer.report.noted()) > 0
    with pytest.raises(IndexError):
        dreamer.report.noted(3)


def test_the_carried_dream_boils_less_than_frames_for_themselves(clip):
    from dreamvid.studies.measure import measures_of

    frames = [from_pixels(each) for each in clip]
    errors = {}
    for name in ("flow", "blend", "none"):
        made, _ = dream_over(clip, {"name": name})
        figures = list(measures_of(frames, made, method_for({}), lambda frame: 1.0))
        errors[name] = sum(each.warping_error for each in figures[1:])
    assert errors["flow"] < 0.5 * errors["none"]
    assert errors["flow"] < 0.5 * errors["blend"]


def test_a_real_clip_holds_no_cuts_and_a_join_is_one():
    from dreamvid import media

    frames = []
    for name in ("chaplin.mp4", "one_second_clip.mp4"):
        path = shared(f"media/{name}")
        pixels = media.decoded(path, media.probe(path), size=Size(180, 320), count=8)
        frames += [from_pixels(each) for each in pixels]
    method = method_for({})
    cuts = [
        index
        for index in range(1, len(frames))
        if correspondence(frames[index], frames[index - 1], method).cut
    ]
    assert cuts == [8]


def test_stills_have_an_earlier_frame_but_at_the_beginning(picture):
    moments = StillSource(picture).moments(0)
    assert next(moments).earlier is None
    assert next(moments).earlier is picture
    assert next(StillSource(picture).moments(5)).earlier is picture


def test_what_moves_fast_against_the_rest_takes_larger_steps():
    flow = torch.zeros(2, 40, 60)
    assert hastened(flow) is None
    flow[0, 10:20, 30:40] = SLOW
    assert hastened(flow) is None
    # As the camera moves, the whole frame does, and nothing is fast.
    panned = flow + torch.tensor([5.0, -9.0])[:, None, None]
    assert hastened(panned) is None
    for moving in (flow, panned):
        moving[:, 10:20, 30:40] += torch.tensor([0.0, -FAST])[:, None, None]
        lift = hastened(moving)
        assert lift is not None
        assert lift.shape == (40, 60)
        torch.testing.assert_close(lift[10:20, 30:40], torch.full((10, 10), 1 + LIFT))
        lift[10:20, 30:40] = 1
        assert (lift == 1).all()


def test_a_film_follows_its_fast_things_and_dreams_more_on_them():
    scenes = [to_pixels(each) for each in reversed(disc_moved(14, -9, 8))]
    on_disc = slice(38, 45), slice(61, 68)
    trust = {}
    for search in (None, search_for({})):
        *_, moment = film(scenes, method=method_for({}), search=search).moments(0)
        trust[search] = moment.correspondence.trust[on_disc].mean()
        start = carry_for({"name": "flow"})(Situation(1, moment, from_pixels(scenes[0])))
    assert trust[None] < 0.2
    assert trust[search] > 0.8
    assert start.lift[on_disc].min() == 1 + LIFT
    assert start.lift[60:, :40].max() == 1
    remembered = carry_for({"name": "flow", "memory": 2})
    assert remembered(Situation(1, moment, from_pixels(scenes[0]))).lift is None
