"""Laws that every encoder keeps, and where films may be written."""

import json
import os
import typing
import weakref
from fractions import Fraction

import laws
import pytest
import torch
from laws import dreamlike, place, read_back
from PIL import Image

from dreamvid import media
from dreamvid.errors import DreamvidError, EncodeError, MediaError, SettingsError, StorageError
from dreamvid.frames import Size, from_pixels, noise, quantised
from dreamvid.media.encoders import check_output, encoder_for, encoders, encoding_for
from dreamvid.media.film_writing import encode_film
from dreamvid.registry import parameters

FILMS = [name for name in encoders.names() if name != "frames"]
NTSC = Fraction(24000, 1001)
COMMENT = json.dumps({"settings": ["a=b; 'c' \"d\" \\ # <&> \n é"] * 300})
QUICK = {"webm": {"speed": 5}, **{name: {"preset": "ultrafast"} for name in ("mp4", "m4v", "mkv")}}


@pytest.mark.parametrize("count", [1, 7])
@pytest.mark.parametrize("size", [Size(34, 48), Size(33, 47)], ids=str)
@pytest.mark.parametrize("name", encoders.names())
def test_every_encoder_gives_as_many_frames_as_it_took(tmp_path, name, size, count):
    laws.gives_back_its_frames(
        name,
        tmp_path,
        size=size,
        count=count,
        options=QUICK.get(name),
        comment=COMMENT,
        error=12 if name == "gif" else 3,
    )


@pytest.mark.parametrize("name", FILMS)
def test_equal_frames_all_count(tmp_path, name):
    path = place(tmp_path, name)
    frames = dreamlike(1) * 5
    assert encode_film(iter(frames), path, Fraction(25), options=QUICK.get(name, {})) == 5
    assert len(read_back(path)) == 5


@pytest.mark.parametrize("rate", [Fraction(24), NTSC, Fraction(30)], ids=str)
@pytest.mark.parametrize("name", FILMS)
def test_every_film_has_its_rate(tmp_path, name, rate):
    path = place(tmp_path, name)
    encode_film(iter(dreamlike(12)), path, rate, options=QUICK.get(name, {}))
    if name in ("gif", "webp"):  # whole hundredths and thousandths of a second: the sum is kept
        with Image.open(path) as picture:
            assert picture.info["loop"] == 0
            total = 0
            for index in range(12):
                picture.seek(index)
                picture.load()
                total += picture.info["duration"]
        assert abs(total - 12_000 / rate) <= (20 if name == "gif" else 12)
    else:
        assert media.probe(path).rate == rate


@pytest.mark.parametrize("name", ["mp4", "webm", "mov"])
def test_films_are_tagged_bt709(tmp_path, name):
    path = place(tmp_path, name)
    encode_film(iter(dreamlike(3)), path, Fraction(24), options=QUICK.get(name, {}))
    film = media.probe(path)
    assert (film.matrix, film.primaries, film.transfer, film.full_range) == (1, 1, 1, False)
    assert film.pixel_format == ("yuv422p10le" if name == "mov" else "yuv420p")


def test_mp4_keeps_colours(tmp_path):
    saturated = torch.tensor([32, 192, 64]).div(255).view(3, 1, 1).expand(3, 34, 48).contiguous()
    for frames in ([saturated] * 3, dreamlike(8, Size(134, 148))):
        path = tmp_path / "film.mp4"
        encode_film(iter(frames), path, Fraction(24), options={"crf": 16})
        error = (torch.stack(read_back(path)) - torch.stack(frames)).abs().mean((0, 2, 3))
        assert error.max() <= 2 / 255
    # 4:2:0 keeps the colour of an area, not of a pixel.
    rough = quantised(noise(Size(136, 144), (5,), exponent=0.7))
    encode_film(iter([rough] * 3), path, Fraction(24), options={"crf": 16})
    areas = torch.nn.functional.avg_pool2d(torch.stack(read_back(path)) - rough, 8)
    assert areas.abs().mean() <= 1 / 255


@pytest.mark.parametrize("name", FILMS)
def test_two_runs_are_byte_identical(tmp_path, name):
    paths = [tmp_path / f"{stem}.{name}" for stem in "ab"]
    for path in paths:
        encode_film(iter(dreamlike(5)), path, NTSC, options=QUICK.get(name, {}))
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_lossless_encoders_lose_nothing(tmp_path):
    frames = dreamlike(3, Size(33, 47))
    for name, options in (("apng", {}), ("webp", {"lossless": True}), ("frames", {})):
        path = place(tmp_path, name)
        encode_film(iter(frames), path, Fraction(24), options=options)
        assert torch.equal(torch.stack(read_back(path)), torch.stack(frames))
    frames = [frame.sqrt() for frame in frames]
    encode_film(iter(frames), tmp_path / "deep", Fraction(24), options={"depth": 16})
    wanted = torch.stack([quantised(frame, 16) for frame in frames])
    assert torch.equal(torch.stack(read_back(tmp_path / "deep")), wanted)


def test_odd_sides_repeat_the_edge(tmp_path):
    frame = torch.full((3, 33, 47), 0.2)
    frame[:, :, -1] = 0.9
    frame[:, -1, :] = 0.9
    path = tmp_path / "film.mp4"
    encode_film(iter([frame]), path, Fraction(24), options={"crf": 1})
    (again,) = read_back(path)
    assert again.shape == (3, 34, 48)
    assert (again[:, :, -2:] - 0.9).abs().max() < 0.1
    assert (again[:, -2:, :] - 0.9).abs().max() < 0.1


def test_gif_options_and_fast_gifs(tmp_path):
    said = []
    path = tmp_path / "film.gif"
    options = {"palette": "frame", "dither": "none"}
    encode_film(iter(dreamlike(4)), path, Fraction(60), options=options, say=said.append)
    assert "50 frames a second" in said[0]
    assert len(read_back(path)) == 4


def test_options_are_checked(tmp_path):
    path = tmp_path / "film.mp4"
    for options, word in (
        ({"crf": 99}, "0 to 51"),
        ({"crv": 9}, "did you mean 'crf'"),
        ({"preset": "fats"}, "fast"),
    ):
        with pytest.raises(SettingsError, match=word):
            encode_film(iter(dreamlike(1)), path, Fraction(24), options=options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", encoders.names())
def test_no_frames_is_an_error_and_leaves_nothing(tmp_path, name):
    with pytest.raises(EncodeError, match="no frames"):
        encode_film(iter([]), place(tmp_path, name), Fraction(24))
    assert not list(tmp_path.iterdir())


def test_a_frame_of_another_size_is_named(tmp_path):
    frames = [*dreamlike(2, Size(33, 47)), *dreamlike(1, Size(34, 48))]
    frames[2] = torch.zeros(3, 50, 50)
    with pytest.raises(EncodeError, match="frame 3"):
        encode_film(iter(frames), tmp_path / "film.mp4", Fraction(24))
    assert not list(tmp_path.iterdir())


def test_a_broken_off_folder_leaves_the_older_one(tmp_path):
    path = tmp_path / "film"
    encode_film(iter(dreamlike(2)), path, Fraction(24))

    def failing():
        yield from dreamlike(5)
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        encode_film(failing(), path, Fraction(24))
    assert len(read_back(path)) == 2
    encode_film(iter(dreamlike(1)), path, Fraction(24))
    assert len(read_back(path)) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_the_suffix_chooses():
    assert [encoder_for(f"a.b/x.{name}") for name in FILMS] == FILMS
    assert encoder_for("X.MP4") == "mp4"
    assert encoder_for("out") == encoder_for("out/") == encoder_for("out.v2/") == "frames"
    for path, word in (
        ("a.mp5", "did you mean 'mp4'"),
        ("a.wmv", r"\.webm"),
        ("a.h265", r"name a \.mp4 and give --set encode\.codec=hevc"),
        ("a.ffv1", r"\.mkv"),
        ("a.jpg", r"name\.%04d\.jpg a sequence"),
        ("a.frames", "no encoder"),
        (".mp4", "no encoder"),
        ("", "no encoder"),
        ("..", "no encoder"),
    ):
        with pytest.raises(MediaError, match=word) as caught:
            encoder_for(path)
        assert "\n" not in str(caught.value)


def test_every_encoder_tells_its_options():
    for name in encoders.names():
        assert encoders.summary(name).endswith(".")
        assert all(each.default is not each.empty for each in parameters(encoders[name]).values())


def test_outputs_are_checked_before_work(tmp_path):
    (tmp_path / "old.mp4").write_bytes(b"older")
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    (tmp_path / "done").mkdir()
    (tmp_path / "done" / "000000.png").write_bytes(b"older")
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe.mp4")
    before = sorted(tmp_path.rglob("*"))
    for name, overwrite, word in (
        ("old.mp4", False, "--overwrite"),
        ("folder.mp4", True, "folder"),
        ("mine", True, "thesis.txt"),
        ("done", False, "--overwrite"),
        ("pipe.mp4", True, "pipe"),
        ("old.mp4/x.mp4", False, "no folder"),
        ("gone/x.mp4", False, "no folder"),
        ("x" * 246 + ".mp4", False, "at most 249"),
        ("x\0.mp4", False, "zero byte"),
        ("x.mpeg", False, "no encoder"),
    ):
        with pytest.raises(MediaError, match=word) as caught:
            check_output(tmp_path / name, overwrite)
        assert "\n" not in str(caught.value)
    for name, overwrite in (
        ("old.mp4", True),
        ("new.mp4", False),
        ("done", True),
        ("empty", False),
        ("x" * 245 + ".mp4", False),
    ):
        check_output(tmp_path / name, overwrite)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_longest_name_works(tmp_path):
    path = tmp_path / ("x" * 245 + ".mp4")
    encode_film(iter(dreamlike(1)), path, Fraction(24), options=QUICK["mp4"])
    assert list(tmp_path.iterdir()) == [path]


def test_a_shut_or_failing_folder(tmp_path, monkeypatch):
    def refusing(number):
        def opened(**_):
            raise OSError(number, os.strerror(number))

        return opened

    for number, kind in ((13, MediaError), (28, StorageError), (30, StorageError)):
        monkeypatch.setattr("tempfile.TemporaryFile", refusing(number))
        with pytest.raises(DreamvidError) as caught:
            check_output(tmp_path / "a.mp4")
        assert type(caught.value) is kind


def test_frames_on_the_way_are_not_held(tmp_path):
    """A film longer than memory must pass: no more than a frame is alive at a time."""
    alive: list[weakref.ref] = []

    def frames():
        for frame in dreamlike(1) * 30:
            copy = frame.clone()
            alive.append(weakref.ref(copy))
            yield copy
            del copy
            assert sum(reference() is not None for reference in alive) <= 3

    encode_film(frames(), tmp_path / "film.mp4", Fraction(24), options=QUICK["mp4"])
    assert len(alive) == 30


def test_a_codec_is_tried_before_it_is_taken():
    assert media.lacking("libx264") is None
    assert media.lacking("no_such_codec")


@pytest.mark.parametrize(("reason", "codec"), [(None, "h264_nvenc"), ("no GPU", "libx264")])
def test_auto_takes_the_gpu_s_codec_where_it_works(monkeypatch, reason, codec):
    monkeypatch.setattr("dreamvid.media.codecs.lacking", lambda name: reason)
    arguments = encoding_for("a.mp4", {"codec": "auto"}).arguments
    assert arguments[arguments.index("-c:v") + 1] == codec
    assert "libx264" in encoding_for("a.mp4", {}).arguments


@pytest.mark.parametrize("codec", ["nvenc", "hevc", "av1"])
def test_a_codec_that_does_not_work_is_refused_and_others_are_named(monkeypatch, codec):
    missing = {"h264_nvenc", "libx265", "libsvtav1"}
    why = {name: "no such thing" for name in missing}
    monkeypatch.setattr("dreamvid.media.codecs.lacking", why.get)
    said = rf"{codec} does not work here \(no such thing\); expected h264$"
    with pytest.raises(SettingsError, match=said):
        encoding_for("a.mp4", {"codec": codec})


CODECS = [
    (name, codec)
    for name in FILMS
    if "codec" in parameters(encoders[name])
    for codec in typing.get_args(parameters(encoders[name])["codec"].annotation)
    if codec not in ("auto", "nvenc", "x264")
]


@pytest.mark.parametrize(("name", "codec"), CODECS)
def test_every_codec_of_every_container(tmp_path, name, codec):
    options = {"codec": codec, **({"preset": "ultrafast"} if codec in ("hevc", "av1") else {})}
    path, frames = place(tmp_path, name), dreamlike(5, Size(66, 98))
    encode_film(iter(frames), path, NTSC, options=options, metadata={"comment": COMMENT})
    film = media.probe(path)
    # The decoder of AV1 that PyAV finds has a name of its own.
    assert film.codec.removeprefix("lib").replace("dav1d", "av1") == codec
    assert (film.rate, film.frames, film.remarks) == (NTSC, 5, ())
    assert media.read_metadata(path)["comment"] == COMMENT
    again = torch.stack(read_back(path))
    assert (again - torch.stack(frames)).abs().mean() <= 3 / 255
    if codec != "ffv1":
        assert (film.matrix, film.primaries, film.transfer) == (1, 1, 1)
    other = tmp_path / f"again.{name}"
    encode_film(iter(frames), other, NTSC, options=options, metadata={"comment": COMMENT})
    assert other.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("name", "options", "size", "rate", "word"),
    [("gif", {}, Size(8, 8), 1000, "at most 100 frames a second, got 1000; give --fps 50"),
     ("mp4", {"codec": "av1"}, Size(8, 8), 250, "at most 240"),
     ("webp", {}, Size(1, 16384), 25, "at most 16383x16383, got 16384x1"),
     ("webm", {"codec": "av1"}, Size(9000, 1), 25, "at most 16384x8704")],
)  # fmt: skip
def test_what_a_format_cannot_hold_is_refused_before_work(
    tmp_path, name, options, size, rate, word
):
    with pytest.raises(MediaError, match=word):
        encode_film(
            iter([torch.zeros(3, *size)]), place(tmp_path, name), Fraction(rate), options=options
        )
    assert not list(tmp_path.iterdir())


def test_apple_s_players_know_their_hevc(tmp_path):
    path = tmp_path / "a.mp4"
    options = {"codec": "hevc", "preset": "ultrafast"}
    encode_film(iter(dreamlike(3, Size(66, 98))), path, NTSC, options=options)
    assert b"hvc1" in path.read_bytes()


@pytest.mark.parametrize("name", ["mkv", "avi"])
@pytest.mark.parametrize("depth", [8, 16])
def test_ffv1_loses_nothing(tmp_path, name, depth):
    frames = [quantised(frame.sqrt(), depth) for frame in dreamlike(3, Size(33, 47))]
    path = tmp_path / f"a.{name}"
    encode_film(iter(frames), path, NTSC, options={"codec": "ffv1"}, depth=depth)
    again = [from_pixels(pixels) for pixels in media.decoded(path, media.probe(path))]
    assert torch.equal(torch.stack(again), torch.stack(frames))


@pytest.mark.parametrize("lines", [66, 720])
def test_y4m_has_the_colours_that_readers_take(tmp_path, lines):
    frame = torch.tensor([32, 192, 64]).div(255).view(3, 1, 1).expand(3, lines, 98).contiguous()
    path = tmp_path / "a.y4m"
    encode_film(iter([frame]), path, NTSC)
    (again,) = media.decoded(path, media.probe(path))
    assert (from_pixels(again) - frame).abs().max() <= 2 / 255
