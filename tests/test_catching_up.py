import pytest
import torch

from dreamvid.dream.catching_up import ALL_NEEDED, NONE_NEEDED, SMALLEST, boxes, needing
from dreamvid.dream.dreamer import dreamer_for
from dreamvid.frames import Size
from dreamvid.media import write_picture
from dreamvid.settings import settled

SIZE = Size(150, 230)


def places(*spots):
    """Where a frame is fresh: squares of 30 pixels with their upper left corners there."""
    fresh = torch.zeros(tuple(SIZE))
    for row, column in spots:
        fresh[row : row + 30, column : column + 30] = 1
    return fresh


def dreamer(**objective):
    tree = {
        "octaves": {"count": 2},
        "ascent": {"iterations": 5, "later": 1},
        "machine": {"precision": "fp32", "threads": 1},
        "objective": objective,
    }
    return dreamer_for(settled(tree))


def test_how_much_a_place_needs():
    fresh = torch.tensor([[0.0, NONE_NEEDED, 0.55], [ALL_NEEDED, 0.9, 1.0]])
    assert needing(fresh, Size(2, 3)).flatten().tolist() == pytest.approx([0, 0, 0.5, 1, 1, 1])


@pytest.mark.parametrize("least", [10, 100])
@pytest.mark.parametrize("spots", [[(0, 0)], [(0, 10), (110, 190)], [(20, 30), (50, 60), (120, 0)]])
def test_what_is_cut_out_holds_every_place_in_need_once(spots, least):
    need, covered = places(*spots), torch.zeros(tuple(SIZE))
    for rows, columns in boxes(need, least):
        assert min(rows.stop - rows.start, columns.stop - columns.start) >= max(least, SMALLEST)
        covered[rows, columns] += 1
    assert covered.max() == 1
    assert covered[need > 0].min() == 1


def test_what_is_far_apart_is_cut_out_by_itself():
    assert len(boxes(places((0, 0), (110, 190)), 10)) == 2


def test_a_speck_and_a_border_need_nothing():
    need = torch.zeros(tuple(SIZE))
    need[70:74, 100:104], need[0], need[:, -1] = 1, 1, 1
    assert boxes(need, 10) == []


def test_a_fresh_place_takes_the_steps_of_a_first_frame():
    made, picture = dreamer(), torch.rand(3, *SIZE)
    calm = made(picture, (0, 1), later=True)
    assert made.report.steps == 2
    least = made.report.work
    same = made(picture, (0, 1), later=True, fresh=torch.zeros(tuple(SIZE)))
    assert torch.equal(same, calm)
    fresh = places((60, 90))
    mixed = made(picture, (0, 1), later=True, fresh=fresh)
    assert made.report.steps == 2 * 5
    assert 1.3 * least < made.report.work < 4 * least
    changed = (mixed - calm).abs().mean(0)
    assert changed[65:85, 95:115].mean() > 10 * changed[:, :20].mean()
    assert made.report.skipped == 0


def test_an_objective_of_places_is_asked_of_the_whole_picture(tmp_path):
    mask = torch.zeros(3, *SIZE)
    mask[:, :, :115] = 1
    write_picture(mask, tmp_path / "mask.png")
    made = dreamer(name="energy", mask=str(tmp_path / "mask.png"))
    picture = torch.rand(3, *SIZE)
    calm = made(picture, (0, 1), later=True)
    mixed = made(picture, (0, 1), later=True, fresh=places((60, 40), (60, 160)))
    changed = (mixed - calm).abs().mean(0)
    assert changed[65:85, 45:65].mean() > 0.01
    assert torch.equal(mixed[..., 180:], calm[..., 180:])
