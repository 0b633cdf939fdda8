"""What goes behind something and comes back gets its dream back, and nothing else gets it."""

from itertools import islice

import numpy as np
import pytest
import torch

from dreamvid.film.carries import Situation, carries
from dreamvid.film.finding import finds
from dreamvid.film.memory import Past
from dreamvid.film.pipeline import Recurrence, dreamed
from dreamvid.film.returning import returned
from dreamvid.film.sources import FilmSource
from dreamvid.frames import Size, from_pixels, noise, quantised, to_pixels
from dreamvid.motion.optical_flow import method_for

SIZE = Size(72, 128)
SIDE, SPEED, ROW = 20, 3, 26
PILLAR = slice(50, 86)
FRAMES = 34
HIDDEN = 18
"""A frame at which nothing of the thing is to be seen."""


def pixels(seed, size, contrast=0.2):
    return to_pixels(noise(size, (seed,), contrast=contrast)).astype(np.float32) / 255


def film(thing, other=None):
    """A thing of noise goes behind a pillar; `other` comes out, if it is not the same."""
    back, pillar = pixels(1, SIZE, 0.1), pixels(2, Size(72, 36), 0.05) * 0.5
    frames = []
    for index in range(FRAMES):
        frame, left = back.copy(), 2 + SPEED * index
        shown = thing if left < PILLAR.start or other is None else other
        frame[ROW : ROW + SIDE, left : left + SIDE] = shown[:, : max(0, SIZE.width - left)]
        frame[:, PILLAR] = pillar
        frames.append((frame * 255 + 0.5).astype(np.uint8))
    return frames


def dreams(frames, detail, last=FRAMES):
    """The frames with a detail that moves with the thing, up to the frame `last`."""
    made = []
    for index, frame in enumerate(frames):
        whole, left = torch.zeros(3, *SIZE), 2 + SPEED * index
        if index < last:
            whole[:, ROW : ROW + SIDE, left : left + SIDE] = detail[:, :, : SIZE.width - left]
        whole[:, :, PILLAR] = 0
        made.append(quantised(from_pixels(frame) + whole))
    return made


def source(frames):
    return FilmSource(
        lambda start: iter(frames[start:]), torch.device("cpu"), method=method_for({}), memory=60
    )


@pytest.fixture(scope="module")
def thing():
    return pixels(3, Size(SIDE, SIDE))


@pytest.fixture(scope="module")
def detail():
    return noise(Size(SIDE, SIDE), (4,), contrast=0.1) - 0.5


def given(frames, made):
    """By frame: the detail given back on what has come out, the thing's own, and the share."""
    found = {}
    for index, moment in enumerate(source(frames).moments(0)):
        out = slice(PILLAR.stop, min(SIZE.width, 2 + SPEED * index + SIDE))
        if out.stop <= out.start + 3:
            continue
        back = returned(moment, index, made.__getitem__)
        rows = slice(ROW, ROW + SIDE)
        had, share = (torch.zeros(3, *SIZE), torch.zeros(tuple(SIZE))) if back is None else back
        own = (made[index] - from_pixels(frames[index]))[:, rows, out]
        found[index] = (had * share)[:, rows, out], own, share[rows, out]
    return found


def test_a_thing_that_comes_back_has_its_dream(thing, detail):
    frames = film(thing)
    found = given(frames, dreams(frames, detail))
    first, (had, own, share) = next(iter(found.items()))
    assert first >= (PILLAR.stop - SIDE) / SPEED
    assert share.mean() > 0.3, "it is known from its first pixels on"
    shares, alike = [], []
    for had, own, share in found.values():
        if share.max() > 0.9:
            sure = (share > 0.9).expand(3, -1, -1)
            alike.append(torch.corrcoef(torch.stack([had[sure], own[sure]]))[0, 1])
        shares.append(share.mean())
    assert len(alike) >= 3
    assert min(alike) > 0.9, alike


def test_a_striped_thing_is_known_by_all_of_it_that_is_out(detail):
    rows, columns = np.mgrid[:SIDE, :SIDE]
    stripes = 0.5 + 0.3 * np.sin((columns + 0.6 * rows) * 2 * np.pi / 7)
    frames = film(np.repeat(stripes[..., None], 3, 2).astype(np.float32))
    found = given(frames, dreams(frames, detail))
    # One stripe is like another, as long as few are out.
    most = [each for each in found.values() if each[2].shape[1] > 0.7 * SIDE and each[2].any()]
    had, own = (
        torch.cat([pair[side][:, pair[2] > 0.9].flatten() for pair in most]) for side in (0, 1)
    )
    assert len(had) > 100
    assert torch.corrcoef(torch.stack([had, own]))[0, 1] > 0.9


@pytest.mark.parametrize("hidden", [False, True])
def test_what_the_flow_alone_has_lost_gets_nothing(thing, hidden):
    """A thing that jumps was to be seen a frame ago, unless it was hidden then."""
    back = pixels(1, SIZE, 0.1)

    def at(left):
        frame = back.copy()
        frame[ROW : ROW + SIDE, left : left + SIDE] = thing
        return frame

    place = np.zeros(SIZE, bool)
    place[ROW : ROW + SIDE, 70:90] = True
    past = Past(0, torch.from_numpy(at(10)), at(10))
    before, flow = back if hidden else at(50), np.zeros((*SIZE, 2), np.float32)
    found = [find.shift for find in finds(at(70), before, place, flow, [past], 12)]
    assert found == ([(0, -60)] if hidden else [])


def test_another_thing_gets_nothing(thing, detail):
    frames = film(thing, pixels(5, Size(SIDE, SIDE)))
    found = given(frames, dreams(frames, detail, HIDDEN))
    assert max(had.abs().mean() for had, _, _ in found.values()) < 0.1 * detail.abs().mean()


def test_a_twin_of_what_is_still_to_be_seen_gets_nothing(thing, detail):
    frames, plain = film(thing), film(pixels(1, SIZE, 0.1)[ROW : ROW + SIDE, :SIDE])
    for index, frame in enumerate(frames):
        if 2 + SPEED * index < PILLAR.start:
            # What goes in is this one, and what comes out is the twin of what stands above.
            frame[:, : PILLAR.start] = plain[0][:, : PILLAR.start]
        frame[2 : 2 + SIDE, 100 : 100 + SIDE] = (thing * 255 + 0.5).astype(np.uint8)
    made = dreams(frames, detail, 0)
    for dream in made:
        dream[:, 2 : 2 + SIDE, 100 : 100 + SIDE] += detail
    found = given(frames, made)
    assert max(had.abs().mean() for had, _, _ in found.values()) < 0.1 * detail.abs().mean()


def known(moments):
    return [[(past.index, past.frame.sum().item()) for past in each.past] for each in moments]


def test_what_is_remembered_is_the_same_from_any_start_and_ends_with_its_shot(thing):
    frames = film(thing)
    cut = [*frames[:15], *(255 - frame[::-1] for frame in frames[15:])]
    whole = known(source(cut).moments(0))
    assert [index for index, _ in whole[14]] == [0]
    assert whole[15] == whole[23] == []
    assert [index for index, _ in whole[-1]] == [18, 24]
    for start in (3, 16, 25):
        assert known(source(cut).moments(start)) == whole[start:]


class Adding:
    """It dreams by adding a little of a fixed picture, more where nothing has been dreamed."""

    def batch(self, frames, key, later=False, fresh=None, index=0, lift=None):
        more = noise(SIZE, (9, index // 7), contrast=0.05) - 0.5
        return (frames + more * (0.2 if fresh is None else 0.1 + fresh)).clamp(0, 1)


def test_a_film_goes_on_the_same_from_what_is_on_disk(thing):
    frames, kept = film(thing), {}

    def carry(situation: Situation):
        return carries["flow"](situation, memory=2)

    def made(start, previous):
        recurrence = Recurrence(source(frames), carry, Adding(), 0, 8, read=kept.__getitem__)
        for index, frame in dreamed(recurrence, start, previous):
            kept[index] = frame
        return dict(kept)

    whole = made(0, None)
    for start in (24, 29):
        kept = {index: frame for index, frame in whole.items() if index < start}
        again = made(start, kept[start - 1])
        assert all(torch.equal(whole[index], again[index]) for index in range(start, FRAMES))
    forgetful = Recurrence(source(frames), carry, Adding(), 0, 8)
    plain = dict(islice(dreamed(forgetful), FRAMES))
    assert any(not torch.equal(plain[index], whole[index]) for index in range(20, FRAMES))
