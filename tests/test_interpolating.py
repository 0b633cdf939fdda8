"""Films of more frames a second, by their own motion."""

import math

import cv2
import numpy as np
import pytest
import torch
from conftest import call_cli

from dreamvid import media
from dreamvid.frames import Size, noise, photographic

PLAIN = ("--size", "128x80", "--octaves", "1", "--iterations", "0", "--anchor", "0", "--set",
         "ascent.later=0")  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A seed, a depth, and films of the motion alone at 15 and at 60 frames a second."""
    folder = tmp_path_factory.mktemp("between")
    seed = photographic(noise(Size(40, 64), (5,), exponent=1.5, contrast=0.2), Size(160, 256))
    media.write_picture(seed, folder / "seed.png")
    for fps, frames in ((15, 4), (60, 13)):
        # Fast, so that a neighbour or a blend of both is far from what is between them.
        motion = ("--motion", "zoom,spin", "--set", "motion.zoom.rate=1.6", "--set",
                  "motion.spin.rate=40")  # fmt: skip
        name = (*motion, "--fps", fps, "--frames", frames, "-o", f"{fps}.mp4")
        made = call_cli("zoom", "seed.png", *PLAIN, *name, cwd=folder)
        assert made.returncode == 0, made.stderr
    return folder


def frames_of(path):
    return [media.read_picture(each) for each in sorted(path.glob("*.png"))]


def decibels(one, other):
    inner = (slice(None), slice(4, -4), slice(4, -4))
    return -10 * math.log10((one[inner] - other[inner]).square().mean().item() + 1e-12)


def test_the_frames_between_are_those_of_the_same_film_at_that_rate(folder):
    done = call_cli("encode", "15.mp4.dream", "--fps", 60, "-o", "more", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "own motion" in done.stderr
    more, own, real = (frames_of(folder / name) for name in
                       ("more", "15.mp4.dream/frames", "60.mp4.dream/frames"))  # fmt: skip
    assert len(more) == 16
    for index, frame in enumerate(more[:13]):
        if index % 4 == 0:
            assert torch.equal(frame, own[index // 4])
        else:
            assert decibels(frame, real[index]) > 30
            # Not a blend of both neighbours, and not one of them.
            if index % 4 == 2:
                low, high = own[index // 4 : index // 4 + 2]
                for other in (low, high, (low + high) / 2):
                    assert decibels(frame, real[index]) > decibels(other, real[index]) + 4
                assert decibels(frame, real[index]) > decibels(low, real[index]) + 5


def test_backwards_and_through_cuts_the_frames_between_are_the_same(folder):
    for name, more in (("ahead", ()), ("back", ("--reverse",))):
        done = call_cli("encode", "15.mp4.dream", "--fps", 30, *more, "-o", name, cwd=folder)
        assert done.returncode == 0, done.stderr
    ahead, back = frames_of(folder / "ahead"), frames_of(folder / "back")
    assert torch.equal(ahead[1], back[5])
    jobs = ("15.mp4.dream", "15.mp4.dream")
    done = call_cli("encode", *jobs, "--fps", 30, "-o", "cut", cwd=folder)
    assert done.returncode == 0, done.stderr
    # From one job to the next nothing moves.
    cut = frames_of(folder / "cut")
    assert torch.equal(cut[7], cut[6])
    assert torch.equal(cut[1], ahead[1])


def test_a_film_over_a_film_and_one_through_a_scene_have_frames_between(folder):
    shots = folder / "shots"
    shots.mkdir()
    seed = media.read_picture(folder / "seed.png")
    for index in range(3):
        media.write_picture(seed.roll(4 * index, 2)[:, 40:104, 60:156], shots / f"{index}.png")
    asked = ("--iterations", "0", "--set", "ascent.later=0", "--octaves", "1", "--fps", "10")
    made = call_cli("video", "shots", *asked, "-o", "over.mp4", cwd=folder)
    assert made.returncode == 0, made.stderr
    depth = np.full((160, 256), 60, np.uint8)
    depth[60:100, 100:150] = 255
    cv2.imwrite(str(folder / "depth.png"), depth)
    camera = ("--motion", "camera", "--set", "motion.camera.depth=depth.png")
    asked = ("--set", "motion.camera.truck=1", *PLAIN, "--frames", 3, "--fps", 10)
    made = call_cli("zoom", "seed.png", *camera, *asked, "-o", "through.mp4", cwd=folder)
    assert made.returncode == 0, made.stderr
    for name in ("over", "through"):
        done = call_cli("encode", f"{name}.mp4.dream", "--fps", 20, "-o", name, cwd=folder)
        assert done.returncode == 0, done.stderr
        frames = frames_of(folder / name)
        assert len(frames) == 6
        assert not torch.equal(frames[1], frames[0])
    over = frames_of(folder / "over")
    wanted = seed.roll(2, 2)[:, 40:104, 60:156]
    assert decibels(over[1][:, :, 10:-10], wanted[:, :, 10:-10]) > 28
