"""Folders and patterns of pictures as films; pipes in and out; sequences as results."""

import io
import os
from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch
from conftest import call_cli
from PIL import Image
from test_decoding import ffmpeg, made, numbers, quarters, read

from dreamvid import media
from dreamvid.errors import MediaError
from dreamvid.frames import Size
from dreamvid.media.profiles import light_of

SMALL = ("--octaves", "1", "--size", "96x64", "--iterations", "0", "--set", "ascent.later=0")


def pictures(folder, names, **options):
    """Pictures whose numbers in the corners are their places."""
    folder.mkdir(exist_ok=True)
    for index, name in enumerate(names):
        Image.fromarray(quarters(index, **options)).save(folder / name)
    return folder


def dream(source, out, *options, status=0):
    result = call_cli("video", source, "-o", out, *SMALL, *options)
    assert result.returncode == status, result.stderr
    return result.stderr


# ---- as films -----------------------------------------------------------------------------------


def test_a_folder_of_pictures_is_a_film_in_natural_order(tmp_path):
    folder = pictures(tmp_path / "frames", [f"{n}.png" for n in range(8, 13)])
    film, frames, said = read(folder)
    assert (film.frames, film.rate, film.size) == (5, 30, Size(64, 96))
    assert film.numbering == (8, 1)
    assert numbers(frames) == list(range(5))
    assert np.array_equal(frames[3], quarters(3))
    assert not said
    assert not film.remarks
    assert all(map(np.array_equal, media.decoded(folder, film, start=2, count=2), frames[2:4]))


@pytest.mark.parametrize("pattern", ["shot.%04d.png", "shot.####.png", "shot.*.png"])
def test_a_pattern_is_a_film(tmp_path, pattern):
    names = [f"shot.{n:04d}.png" for n in range(997, 1003)]
    pictures(tmp_path, names)
    pictures(tmp_path, ["other.0001.png", "shot.x.jpg"])
    path = tmp_path / pattern
    film, frames, _ = read(path)
    assert (film.frames, film.numbering) == (6, (997, 1))
    assert numbers(frames) == list(range(6))
    assert media.plain_name(path) == "shot"


def test_the_rate_that_is_asked_for_is_that_of_the_pictures(tmp_path):
    folder = pictures(tmp_path / "frames", [f"{n:03d}.png" for n in range(6)])
    told = dream(folder, tmp_path / "a.mp4", "--fps", "24000/1001", "--start", "2")
    film = media.probe(tmp_path / "a.mp4")
    assert (film.rate, film.frames) == (Fraction(24000, 1001), 4)
    assert (tmp_path / "a.mp4.dream").is_dir()
    assert "damaged" not in told
    _, frames, _ = read(tmp_path / "a.mp4")
    assert numbers(frames) == [2, 3, 4, 5]


def test_missing_numbers_of_a_pattern_keep_their_place(tmp_path):
    pictures(tmp_path, [f"a{n:02d}.png" for n in (1, 2, 3, 6, 7)])
    film, frames, said = read(tmp_path / "a%02d.png")
    assert film.frames == 7
    assert numbers(frames) == [0, 1, 2, 2, 2, 3, 4]
    assert "2 pictures are missing (4, 5)" in film.remarks[0]
    assert "2 frames lost" in said[0]
    with pytest.raises(MediaError, match="missing"):
        media.check_whole(tmp_path / "a%02d.png", film)
    film, frames, _ = read(tmp_path / "a*.png")
    assert numbers(frames) == list(range(5))
    assert "a%02d.png" in film.remarks[0]
    part = media.decoded(tmp_path / "a%02d.png", media.probe(tmp_path / "a%02d.png"), start=4)
    assert numbers(list(part)) == [2, 3, 4]


def test_every_tenth_number_is_no_gap(tmp_path):
    pictures(tmp_path, [f"a{n:03d}.png" for n in (1, 11, 21, 31)])
    film, frames, said = read(tmp_path / "a%03d.png")
    assert (len(frames), film.numbering, film.remarks, said) == (4, (1, 10), (), [])


def test_what_is_no_picture_is_named_and_several_sequences_are_told_apart(tmp_path):
    folder = pictures(tmp_path / "frames", ["b.1.png", "b.2.png"])
    (folder / "Thumbs.db").write_bytes(b"x" * 40)
    (folder / ".DS_Store").write_bytes(b"x" * 40)
    (line,) = media.probe(folder).remarks
    assert "Thumbs.db" in line
    assert "DS_Store" not in line
    pictures(folder, ["depth.1.png", "depth.2.png"])
    with pytest.raises(MediaError, match=r"'b\.%01d\.png' \(2\), 'depth\.%01d\.png' \(2\)"):
        media.probe(folder)


def test_a_picture_that_cannot_be_read_is_told_of(tmp_path):
    folder = pictures(tmp_path / "frames", [f"{n}.png" for n in range(4)])
    (folder / "2.png").write_bytes((folder / "2.png").read_bytes()[:200])
    _, frames, said = read(folder)
    assert numbers(frames) == [0, 1, 1, 3]
    assert "2.png" in said[0]
    (line,) = call_cli(
        "video", folder, "-o", tmp_path / "a.mp4", *SMALL, "--strict"
    ).stderr.splitlines()
    assert "2.png" in line
    assert not (tmp_path / "a.mp4.dream").exists()


def test_pictures_of_other_sizes_depths_and_transparency(tmp_path):
    folder = pictures(tmp_path / "frames", ["0.png"])
    Image.fromarray(quarters(1, 128, 192)).save(folder / "1.png")
    deep = quarters(2).astype(np.uint16) * 257
    cv2.imwrite(str(folder / "2.png"), deep[..., ::-1])
    clear = np.dstack([quarters(3), np.full((64, 96), 255, np.uint8)])
    Image.fromarray(clear).save(folder / "3.png")
    _, frames, said = read(folder)
    assert numbers(
        [frame if frame.dtype == np.uint8 else (frame // 257).astype(np.uint8) for frame in frames]
    ) == [0, 1, 2, 3]
    assert [frame.dtype for frame in frames] == [np.uint8, np.uint8, np.uint16, np.uint8]
    assert {frame.shape for frame in frames} == {(64, 96, 3)}
    assert "1 pictures are of another size" in said[0]


@pytest.mark.parametrize(
    ("source", "word"),
    [("empty", "no pictures"), ("gone.%04d.png", "no file has such a name"),
     ("none_*.exr", "no file has such a name"), ("one", "one picture")],
)  # fmt: skip
def test_no_pictures_is_one_line(tmp_path, source, word):
    (tmp_path / "empty").mkdir()
    pictures(tmp_path / "one", ["a.png"])
    (line,) = call_cli(
        "video", tmp_path / source, "-o", tmp_path / "a.mp4", *SMALL
    ).stderr.splitlines()
    assert word in line
    assert not list(tmp_path.glob("a.mp4*"))


def test_names_without_o_and_a_result_that_would_replace_its_input(tmp_path):
    folder = pictures(tmp_path / "shots", [f"{n:06d}.png" for n in range(3)])
    result = call_cli("video", "shots/%06d.png", *SMALL, cwd=tmp_path)
    assert result.stdout.strip() == "shots-video.mp4", result.stderr
    for out in (folder, folder / "%06d.png", folder / "0000*.png"):
        result = call_cli("video", folder, "-o", out, *SMALL, "--overwrite")
        assert result.returncode == 2
        assert len(result.stderr.splitlines()) == 1
    assert len(list(folder.iterdir())) == 3


def test_a_sequence_is_resumed_where_it_moved(tmp_path):
    folder = pictures(tmp_path / "frames", [f"{n}.png" for n in range(4)])
    dream(folder, tmp_path / "a.mp4", "--frames", "2")
    (tmp_path / "else").mkdir()
    for name in ("frames", "a.mp4", "a.mp4.dream"):
        (tmp_path / name).rename(tmp_path / "else" / name)
    result = call_cli("resume", tmp_path / "else" / "a.mp4.dream", "--frames", "3")
    assert result.returncode == 0, result.stderr
    assert numbers(read(tmp_path / "else" / "a.mp4")[1]) == [0, 1, 2]
    assert "sound" not in result.stderr
    Image.fromarray(quarters(50)).save(tmp_path / "else" / "frames" / "3.png")
    result = call_cli("resume", tmp_path / "else" / "a.mp4.dream", "--frames", "4")
    assert result.returncode == 2
    assert "frames" in result.stderr


def test_a_mask_and_a_seed_may_be_pictures_in_a_row(tmp_path):
    folder = pictures(tmp_path / "frames", [f"{n}.png" for n in range(3)])
    more = ("--at", "2", "--frames", "1", "--mask", folder)
    result = call_cli("zoom", folder, "-o", tmp_path / "z.mp4", *SMALL, *more)
    assert result.returncode == 0, result.stderr
    assert numbers(read(tmp_path / "z.mp4")[1]) == [2]
    (line,) = call_cli("zoom", tmp_path / "frames" / "%d.png").stderr.splitlines()
    assert "dreamvid video" in line


# ---- pipes --------------------------------------------------------------------------------------


def test_y4m_is_a_film(tmp_path):
    path = made(tmp_path / "a.y4m", 12, codec=("-pix_fmt", "yuv444p"))
    film, frames, said = read(path)
    assert (film.rate, film.frames) == (25, 12)
    assert numbers(frames) == list(range(12))
    assert not said


class Piped:
    """Standard input that is a pipe."""

    def __init__(self, data):
        self.buffer = io.BytesIO(data)

    def isatty(self):
        return False


@pytest.mark.parametrize("name", ["a.y4m", "a.mkv", "a.ts"])
def test_a_film_through_a_pipe_and_out_of_one(tmp_path, name, monkeypatch, capfdbinary):
    codec = ("-pix_fmt", "yuv444p") if name.endswith("y4m") else ("-c:v", "libx264", "-crf", "8")
    data = made(tmp_path / name, 6, codec=codec).read_bytes()

    def sent(what):
        monkeypatch.setattr("sys.stdin", Piped(what))
        result = call_cli("video", "-", "-o", "-", *SMALL, cwd=tmp_path)
        assert not result.stdout  # the path of a result would be taken for a part of it
        return result, capfdbinary.readouterr().out

    result, film = sent(data)
    assert result.returncode == 0, result.stderr
    (tmp_path / "out.y4m").write_bytes(film)
    found, frames, _ = read(tmp_path / "out.y4m")
    assert (found.rate, numbers(frames)) == (25, list(range(6)))
    job = tmp_path / "pipe-video.y4m.dream"
    assert (job / "input").read_bytes() == data
    # The same again only sends the frames that are there; another input is refused.
    assert sent(data)[1] == film
    result, _ = sent(data[:-9])
    assert result.returncode == 2
    assert "another input" in result.stderr
    assert (job / "input").read_bytes() == data
    call_cli("resume", job)
    assert capfdbinary.readouterr().out == film


@pytest.mark.parametrize("data", [b"", b"no film " * 100])
def test_a_pipe_without_a_film_is_one_line(tmp_path, data, monkeypatch):
    monkeypatch.setattr("sys.stdin", Piped(data))
    result = call_cli("video", "-", "-o", "a.mp4", *SMALL, cwd=tmp_path)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_reader_that_stops_is_told_of(tmp_path):
    path = made(tmp_path / "a.mp4", 30)
    reading, writing = os.pipe()
    os.close(reading)
    kept = os.dup(1)
    try:
        os.dup2(writing, 1)
        result = call_cli("video", path, "-o", "-", *SMALL[:-2], "--frames", "30", cwd=tmp_path)
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(writing)
    assert result.returncode == 1
    assert "stopped reading" in result.stderr.splitlines()[-1]
    assert len(list((tmp_path / "a-video.y4m.dream" / "frames").iterdir())) == 30


# ---- results ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "options", "exact"),
    [("o.%04d.png", (), True), ("o_####.tif", ("--depth", "16"), True), ("o.%d.exr", (), True),
     ("o.%04d.jpg", (), False), ("o.%04d.png", ("--set", "encode.depth=16"), True)],
)  # fmt: skip
def test_sequences_have_the_numbers_of_their_source(tmp_path, pattern, options, exact):
    pictures(tmp_path / "in", [f"s.{n:04d}.png" for n in range(1001, 1006)])
    source, out = tmp_path / "in" / "s.%04d.png", tmp_path / pattern
    dream(source, out, "--start", "1", "--frames", "3", *options)
    names = [each.name for each in media.of_pattern(out)]
    assert [int("".join(filter(str.isdigit, name))) for name in names] == [1002, 1003, 1004]
    frames = [media.read_picture(tmp_path / name) for name in names]
    for index, frame in enumerate(frames, 1):
        error = (
            frame - torch.from_numpy(quarters(index).transpose(2, 0, 1) / np.float32(255))
        ).abs()
        assert error.max() < (0.002 if exact else 0.2)
    (line,) = call_cli(
        "video", source, "-o", out, *SMALL, "--start", "1", "--frames", "2"
    ).stderr.splitlines()
    assert "--overwrite" in line
    dream(source, out, "--overwrite", "--frames", "2", "--set", "encode.first=7")
    assert len(media.of_pattern(out)) == 2
    assert not list(tmp_path.glob(".o*"))


def test_an_exr_is_read_by_other_programs(tmp_path):
    rough = torch.rand(3, 37, 53, generator=torch.Generator().manual_seed(1))
    media.write_picture(rough, tmp_path / "a.exr", 16, {"comment": "é {}"})
    again = media.read_picture(tmp_path / "a.exr")
    assert (again - rough).abs().max() < 1 / 1000
    assert media.read_metadata(tmp_path / "a.exr")["comment"] == "é {}"
    ffmpeg("-i", tmp_path / "a.exr", "-pix_fmt", "rgb48", tmp_path / "a.png")
    light = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)[..., ::-1] / 65535
    wanted = light_of(rough.permute(1, 2, 0).double().numpy(), None)
    assert np.abs(light - wanted).max() < 1 / 1000
