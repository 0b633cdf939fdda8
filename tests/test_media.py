"""Pictures and films in and out, and what happens when the disk or ffmpeg fails."""

import errno
import io
import json
import os
import resource
import signal
import stat
import subprocess
import time
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from dreamvid import media
from dreamvid.errors import DreamvidError, EncodeError, MediaError, StorageError
from dreamvid.frames import Size, quantised, to_pixels
from dreamvid.media import png

SIZE = Size(34, 48)
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-f", "mp4")
CORNERS = np.array([[[230, 20, 30], [20, 200, 40]], [[30, 40, 220], [240, 230, 20]]], np.uint8)


def quarters(height=34, width=48):
    """Four colours, one a quarter, so that every turn and flip shows."""
    rows = np.arange(height)[:, None] * 2 // height
    columns = np.arange(width)[None, :] * 2 // width
    return CORNERS[rows, columns]


def corners_of(frame, inset=4):
    pixels = to_pixels(frame).astype(int)
    return pixels[[[inset, inset], [-inset, -inset]], [[inset, -inset], [inset, -inset]]]


def noisy(count, size=SIZE, seed=0):
    generator = np.random.default_rng(seed)
    return [generator.integers(0, 256, (*size, 3), np.uint8) for _ in range(count)]


def one_line(caught):
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) > 20
    return text


# ---- reading pictures -------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8, 42])
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff"])
def test_exif_orientation_turns_the_picture_upright(tmp_path, orientation, suffix):
    stored = {  # what a camera stores so that the viewer's turn makes `quarters`
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
        8: lambda a: np.rot90(a, -1),
    }.get(orientation, lambda a: a)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned.{suffix}"
    picture = Image.fromarray(np.ascontiguousarray(stored(quarters())))
    picture.save(path, exif=exif, **({} if suffix == "tiff" else {"quality": 95}))
    frame = media.read_picture(path)
    assert frame.shape == (3, 34, 48)
    assert np.abs(corners_of(frame) - CORNERS).max() <= 12
    assert media.picture_size(path) == (34, 48)
    if suffix == "jpg":
        path.write_bytes(path.read_bytes()[:700])  # where the pixels begin
        assert media.picture_size(path) == (34, 48)


def grey_ramp():
    return np.tile(np.linspace(0, 65535, 48).astype(np.uint16), (34, 1))


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_16_bit_grey_keeps_its_range(tmp_path, suffix):
    path = tmp_path / f"grey.{suffix}"
    cv2.imwrite(str(path), grey_ramp())
    frame = media.read_picture(path)
    expected = torch.from_numpy(grey_ramp().astype(np.float32) / 65535)
    assert (frame - expected).abs().max() < 1e-4


def test_32_bit_and_float_grey(tmp_path):
    path = tmp_path / "grey.tiff"
    ramp = np.tile(np.linspace(0, 1, 48, dtype=np.float32), (34, 1))
    for values in (ramp, ramp * 5, (ramp * 65535).astype(np.int32)):
        Image.fromarray(values).save(path)
        assert (media.read_picture(path) - torch.from_numpy(ramp)).abs().max() < 1e-4
    ramp[0, 0] = np.nan
    Image.fromarray(ramp).save(path)
    assert media.read_picture(path).isfinite().all()


def test_16_bit_colour(tmp_path):
    path = tmp_path / "deep.png"
    cv2.imwrite(str(path), quarters()[..., ::-1].astype(np.uint16) * 257)
    assert np.abs(corners_of(media.read_picture(path)) - CORNERS).max() <= 1


def test_transparency_shows_the_background(tmp_path):
    path = tmp_path / "alpha.png"
    rgba = np.dstack([quarters(), np.full((34, 48), 255, np.uint8)])
    rgba[:17, :24, 3] = 0
    rgba[:17, 24:, 3] = 128
    Image.fromarray(rgba).save(path)
    got = corners_of(media.read_picture(path, background=(10, 100, 200)))
    share = 128 / 255
    half = CORNERS[0, 1] * share + np.array([10, 100, 200]) * (1 - share)
    assert np.abs(got[0, 0] - (10, 100, 200)).max() == 0
    assert np.abs(got[0, 1] - half).max() <= 1
    assert np.abs(got[1] - CORNERS[1]).max() == 0
    assert corners_of(media.read_picture(path))[0, 0].max() == 0


def test_grey_alpha_palettes_and_small_modes(tmp_path):
    path = tmp_path / "picture.png"
    grey = np.full((34, 48), 90, np.uint8)
    alpha = np.where(np.arange(48) < 24, 0, 255).astype(np.uint8) * np.ones((34, 1), np.uint8)
    Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)]).save(path)
    got = corners_of(media.read_picture(path, background=(1, 2, 3)))
    assert got[0, 0].tolist() == [1, 2, 3]
    assert got[0, 1].tolist() == [90, 90, 90]

    indexed = Image.fromarray(quarters()).quantize(4)
    indexed.save(path)
    assert np.abs(corners_of(media.read_picture(path)) - CORNERS).max() <= 2
    indexed.save(path, transparency=indexed.getpixel((0, 0)))
    got = corners_of(media.read_picture(path, background=(5, 6, 7)))
    assert got[0, 0].tolist() == [5, 6, 7]
    assert np.abs(got[1, 1] - CORNERS[1, 1]).max() <= 2

    Image.fromarray(alpha).convert("1").save(path)
    got = corners_of(media.read_picture(path))
    assert got[0, 0].tolist() == [0, 0, 0]
    assert got[1, 1].tolist() == [255, 255, 255]
    Image.fromarray(grey).save(path)
    assert corners_of(media.read_picture(path))[0, 0].tolist() == [90, 90, 90]


def test_cmyk(tmp_path):
    path = tmp_path / "print.jpg"
    Image.fromarray(quarters()).convert("CMYK").save(path, quality=98)
    assert np.abs(corners_of(media.read_picture(path)) - CORNERS).max() <= 6


def test_colour_profiles_are_converted(tmp_path):
    path = tmp_path / "profile.png"
    lab_red = np.full((34, 48, 3), (255, 0, 0), np.uint8)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    # Swap the red and green primaries of an sRGB profile: a converted picture swaps them too.
    data = bytearray(srgb.tobytes())
    count = int.from_bytes(data[128:132], "big")
    entries = {bytes(data[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i for i in range(count)}
    red, green = entries[b"rXYZ"], entries[b"gXYZ"]
    data[red : red + 4], data[green : green + 4] = b"gXYZ", b"rXYZ"
    Image.fromarray(lab_red).save(path, icc_profile=bytes(data))
    assert np.abs(corners_of(media.read_picture(path))[0, 0] - (0, 255, 0)).max() <= 3
    Image.fromarray(lab_red).save(path, icc_profile=srgb.tobytes())
    assert np.abs(corners_of(media.read_picture(path))[0, 0] - (255, 0, 0)).max() <= 1
    Image.fromarray(lab_red).save(path, icc_profile=b"no profile at all")
    assert corners_of(media.read_picture(path))[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("suffix", ["gif", "png", "tiff", "webp"])
def test_animations_give_their_first_frame(tmp_path, suffix):
    path = tmp_path / f"moving.{suffix}"
    first, second = Image.fromarray(quarters()), Image.new("RGB", (48, 34), (9, 9, 9))
    first.save(path, save_all=True, append_images=[second])
    assert np.abs(corners_of(media.read_picture(path)) - CORNERS).max() <= 40


@pytest.mark.parametrize("suffix", ["bmp", "ppm", "jp2", "avif"])
def test_other_formats_and_a_wrong_name(tmp_path, suffix):
    path = tmp_path / f"picture.{suffix}"
    Image.fromarray(quarters()).save(path)
    misnamed = tmp_path / "picture.jpg"
    path.rename(misnamed)
    assert np.abs(corners_of(media.read_picture(misnamed)) - CORNERS).max() <= 12


def picture_bytes(kind, pixels=None):
    buffer = io.BytesIO()
    Image.fromarray(noisy(1)[0] if pixels is None else pixels).save(buffer, kind)
    return buffer.getvalue()


def bad_crc():
    data = bytearray(picture_bytes("PNG"))
    data[data.index(b"IDAT") + 20] ^= 255
    return bytes(data)


def bomb_header(side):
    data = bytearray(picture_bytes("PNG"))
    header = b"IHDR" + side.to_bytes(4, "big") * 2 + bytes(data[24:29])
    data[8:33] = png.chunk(header[:4], header[4:])
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b"this is text, not a picture\n" * 40, "expected JPEG"),
        (bytes(range(256)) * 9, "expected JPEG"),
        (b'<?xml version="1.0"?>\n<svg width="9" height="9"></svg>', "SVG"),
        (picture_bytes("JPEG")[:-600], "damaged"),
        (picture_bytes("PNG")[:2000], "damaged"),
        (bad_crc(), "damaged"),
        (bomb_header(9000), "9000x9000 is too large"),
        (bomb_header(65000), "too large"),
        (picture_bytes("PNG", np.zeros((1, 1, 3), np.uint8)), "1x1 is too small"),
        (picture_bytes("PNG", np.zeros((1, 5000, 3), np.uint8)), "5000x1 is too small"),
    ],
)
def test_bad_pictures_are_explained_in_one_line(tmp_path, data, word):
    path = tmp_path / "seed.jpg"
    path.write_bytes(data)
    with pytest.raises(MediaError) as caught:
        media.read_picture(path)
    assert word in one_line(caught)
    assert str(path) in str(caught.value)


def test_a_corrupt_jpeg_body_is_accepted_like_everywhere(tmp_path):
    data = bytearray(picture_bytes("JPEG"))
    data[len(data) // 2] ^= 0x55
    (tmp_path / "seed.jpg").write_bytes(data)
    assert media.read_picture(tmp_path / "seed.jpg").shape == (3, 34, 48)


def test_places_that_hold_no_picture(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "absent.png", tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        for read in (media.read_picture, media.read_png, media.read_metadata, media.probe):
            with pytest.raises(MediaError) as caught:
                read(path)
            assert str(path) in one_line(caught)


@pytest.fixture
def unprivileged():
    """Root may do anything; step down for as long as the test runs."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_no_permission_to_read(tmp_path, request):
    path = tmp_path / "seed.png"
    path.write_bytes(picture_bytes("PNG"))
    path.chmod(0)
    for folder in [tmp_path, *list(tmp_path.parents)[:2]]:
        folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
    request.getfixturevalue("unprivileged")
    with pytest.raises(MediaError, match="permission"):
        media.read_picture(path)


# ---- writing pictures -------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [8, 16])
def test_png_keeps_every_bit(tmp_path, depth):
    frame = torch.rand(3, 33, 47, generator=torch.Generator().manual_seed(1)) * 1.2 - 0.1
    path = tmp_path / "000000.png"
    media.write_picture(frame, path, depth, {"comment": "x"})
    again = media.read_png(path)
    assert torch.equal(again, quantised(frame, depth))
    assert again.is_contiguous()
    assert (media.read_picture(path) - frame.clamp(0, 1)).abs().max() <= 1 / 255
    assert os.listdir(tmp_path) == ["000000.png"]  # noqa: PTH208


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tiff", "-é %03d:b.PNG"])
def test_pictures_keep_colours_and_words(tmp_path, name):
    frame = torch.from_numpy(quarters()).permute(2, 0, 1).float().div(255).contiguous()
    comment = json.dumps({"words": ["<&\"'>"] * 900})
    media.write_picture(frame, tmp_path / name, metadata={"comment": comment})
    assert np.abs(corners_of(media.read_picture(tmp_path / name)) - CORNERS).max() <= 12
    assert media.read_metadata(tmp_path / name) == {"comment": comment}
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_png_words_beyond_latin(tmp_path):
    words = {"comment": "夢 dream", "software": "dreamvid"}
    media.write_picture(torch.zeros(3, 34, 48), tmp_path / "a.png", metadata=words)
    assert media.read_metadata(tmp_path / "a.png") == words
    with Image.open(tmp_path / "a.png") as picture:
        picture.load()
        assert picture.info["comment"] == words["comment"]


def test_unknown_suffix_and_depth(tmp_path):
    with pytest.raises(MediaError, match=r"\.bmp"):
        media.write_picture(torch.zeros(3, 34, 48), tmp_path / "a.bmp")
    with pytest.raises(MediaError, match="8 bits"):
        media.write_picture(torch.zeros(3, 34, 48), tmp_path / "a.jpg", 16)
    assert not list(tmp_path.iterdir())


def test_read_png_refuses_what_is_not_a_frame(tmp_path):
    path = tmp_path / "a.png"
    for data in (
        picture_bytes("PNG")[:1500],
        bad_crc(),
        b"\0" * 3000,
        picture_bytes("PNG", np.zeros((34, 48), np.uint8)),
        picture_bytes("PNG", np.zeros((34, 48, 4), np.uint8)),
    ):
        path.write_bytes(data)
        with pytest.raises(MediaError) as caught:
            media.read_png(path)
        one_line(caught)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
def test_a_failing_disk_leaves_the_older_file(tmp_path, monkeypatch, number):
    path = tmp_path / "a.png"
    path.write_bytes(b"older")

    def failing(handle):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(StorageError) as caught:
        media.write_picture(torch.zeros(3, 34, 48), path)
    assert str(tmp_path) in one_line(caught)
    assert "free" in str(caught.value)
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == [b"older"]


@pytest.fixture
def small_files():
    """No file may grow beyond 20 kB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_files")
def test_a_file_too_large_for_the_disk(tmp_path):
    with pytest.raises(StorageError, match="too large"):
        media.write_picture(torch.rand(3, 134, 148), tmp_path / "a.png")
    with pytest.raises(StorageError, match="too large"):
        media.encode(noisy(40), tmp_path / "a.mp4", SIZE, Fraction(24), H264)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_a_storage_error(tmp_path):
    for write in (
        lambda path: media.write_picture(torch.zeros(3, 34, 48), path / "a.png"),
        lambda path: media.encode(noisy(2), path / "a.mp4", SIZE, Fraction(24), H264),
    ):
        with pytest.raises(StorageError, match="no such folder"):
            write(tmp_path / "gone")


def test_published_folders_replace_folders(tmp_path):
    target = tmp_path / "frames"
    for text in ("one", "two"):
        with media.atomic_write(target) as part:
            part.mkdir()
            (part / text).write_text(text)
    assert [entry.name for entry in target.iterdir()] == ["two"]

    def interrupted():
        with media.atomic_write(target) as part:
            part.mkdir()
            (part / "three").write_text("three")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [entry.name for entry in target.iterdir()] == ["two"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["frames"]


# ---- films ------------------------------------------------------------------------------------


def test_a_film_in_and_out(tmp_path):
    path = tmp_path / "-é %03d:b.mp4"
    lossless = ("-c:v", "libx264rgb", "-qp", "0", "-preset", "ultrafast", "-f", "mp4")
    frames = noisy(5)
    assert media.encode(iter(frames), path, SIZE, Fraction(24000, 1001), lossless) == 5
    assert all(map(np.array_equal, frames, media.frames_of(path)))
    film = media.probe(path)
    assert (film.width, film.height, film.rate) == (48, 34, Fraction(24000, 1001))
    assert film.frames == 5
    assert film.codec == "h264"
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_two_encodings_are_byte_identical(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        media.encode(noisy(12), tmp_path / name, SIZE, Fraction(25), H264, threads=2)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_what_an_interrupted_run_left_is_cleared_away(tmp_path):
    path = tmp_path / "film.mp4"
    (tmp_path / ".film.mp4.part").mkdir()
    (tmp_path / ".film.mp4.part" / "000000.png").write_bytes(b"older")
    media.encode(noisy(2), path, SIZE, Fraction(24), H264)
    assert list(tmp_path.iterdir()) == [path]


def older(tmp_path):
    path = tmp_path / "film.mp4"
    path.write_bytes(b"older")
    return path


def untouched(path):
    return [(entry.name, entry.read_bytes()) for entry in path.parent.iterdir()] == [
        (path.name, b"older")
    ]


def test_no_frames_or_wrong_frames(tmp_path):
    path = older(tmp_path)
    for frames, word in (
        ([], "no frames"),
        ([*noisy(2), *noisy(1, Size(36, 48))], "frame 3"),
        ([torch.zeros(3, 36, 48)], "frame 1"),
        ([np.zeros((34, 48, 3), np.uint16)], "frame 1"),
    ):
        with pytest.raises(EncodeError, match=word) as caught:
            media.encode(frames, path, SIZE, Fraction(24), H264)
        one_line(caught)
        assert untouched(path)


def test_the_frames_may_fail(tmp_path):
    path = older(tmp_path)

    def failing():
        yield from noisy(3)
        raise RuntimeError("the dream broke off")

    with pytest.raises(RuntimeError, match="broke off"):
        media.encode(failing(), path, SIZE, Fraction(24), H264)
    assert untouched(path)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("-c:v", "no_such_codec", "-f", "mp4"), "no_such_codec"),
        (("-c:v", "libx264", "-f", "webm"), "VP8|VP9|webm|WebM"),
        (("-c:v", "libx264", "-pix_fmt", "nope", "-f", "mp4"), "nope"),
    ],
)
@pytest.mark.parametrize("count", [1, 30])
def test_ffmpegs_refusals_are_told(tmp_path, arguments, word, count):
    path = older(tmp_path)
    with pytest.raises(EncodeError, match=word) as caught:
        media.encode(noisy(count), path, SIZE, Fraction(24), arguments)
    one_line(caught)
    assert untouched(path)


def fake_ffmpeg(tmp_path, monkeypatch, script):
    tools = tmp_path.parent / f"{tmp_path.name}-tools"
    tools.mkdir(exist_ok=True)
    fake = tools / "ffmpeg"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(fake))
    return fake


@pytest.mark.parametrize(
    ("script", "word"),
    [
        ("echo 'everything is wrong' >&2; exit 1", "everything is wrong"),
        ("exit 3", "exit status 3"),
        ("cat > /dev/null; exit 0", "0 of 4"),
        ("cat > /dev/null; kill -9 $$", "signal 9"),
        ("exec sleep 60", "did nothing"),
        ("sleep 60; true", "did nothing"),
        ("cat > /dev/null; sleep 60", "did nothing"),
    ],
)
def test_a_faulty_ffmpeg(tmp_path, monkeypatch, script, word):
    path = older(tmp_path)
    fake_ffmpeg(tmp_path, monkeypatch, script)
    start = time.monotonic()
    with pytest.raises(EncodeError, match=word) as caught:
        media.encode(
            noisy(4, Size(134, 148)), path, Size(134, 148), Fraction(24), H264, stall_seconds=0.4
        )
    one_line(caught)
    assert untouched(path)
    assert time.monotonic() - start < 10


def test_ffmpeg_missing_or_not_executable(tmp_path, monkeypatch):
    path = older(tmp_path)
    fake = fake_ffmpeg(tmp_path, monkeypatch, "exit 0")
    fake.chmod(0o644)
    for exe in (fake, tmp_path / "nowhere", tmp_path):
        monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(exe))
        with pytest.raises(EncodeError, match="IMAGEIO_FFMPEG_EXE") as caught:
            media.encode(noisy(2), path, SIZE, Fraction(24), H264)
        one_line(caught)
        assert untouched(path)


def running(path):
    """The real ffmpeg that writes to `path`'s temporary name, found among our children."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if os.fsencode(f"file:{path.parent}/.{path.name}.part") in command:
                return int(entry.name)
    raise AssertionError("no ffmpeg")


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds ffmpeg in /proc")
@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("last", [False, True], ids=["midway", "after the last frame"])
def test_ffmpeg_killed_or_frozen(tmp_path, blow, last):
    path = older(tmp_path)

    def frames():
        yield from noisy(10, Size(134, 148))
        os.kill(running(path), blow)
        if not last:
            yield from noisy(60, Size(134, 148))

    word = "signal 9" if blow == signal.SIGKILL else "did nothing"
    with pytest.raises(EncodeError, match=word) as caught:
        media.encode(frames(), path, Size(134, 148), Fraction(24), H264, stall_seconds=0.5)
    one_line(caught)
    assert untouched(path)
    with pytest.raises(AssertionError):
        running(path)


def test_a_slow_dreamer_is_no_stall(tmp_path):
    def frames():
        for frame in noisy(3):
            time.sleep(0.4)
            yield frame

    path = tmp_path / "a.mp4"
    assert media.encode(frames(), path, SIZE, Fraction(24), H264, stall_seconds=0.2) == 3


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], capture_output=True
    )
    if made.returncode:
        pytest.skip("mounting takes root")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("count", [12, 200], ids=["while flushing", "midway"])
def test_a_full_disk(small_disk, count):
    path = older(small_disk)
    arguments = ("-c:v", "libx264", "-qp", "1", "-pix_fmt", "yuv444p", "-f", "mp4")
    size = Size(134, 148)
    with pytest.raises(StorageError, match="No space left") as caught:
        media.encode(noisy(count, size), path, size, Fraction(24), arguments)
    assert str(small_disk) in one_line(caught)
    assert untouched(path)
    with pytest.raises(StorageError, match="No space left"):
        media.write_picture(torch.rand(3, 300, 400), small_disk / "a.png")
    assert untouched(path)


def test_broken_films_are_explained(tmp_path):
    path = tmp_path / "film.mp4"
    media.encode(noisy(9), path, SIZE, Fraction(24), H264)
    whole = path.read_bytes()
    (tmp_path / "other.mp4").write_bytes(whole)
    for data in (whole[:-300], b"no film\n" * 99, b"ffconcat version 1.0\nfile 'other.mp4'\n"):
        path.write_bytes(data)
        for read in (media.probe, media.read_metadata, lambda path: list(media.frames_of(path))):
            with pytest.raises(DreamvidError) as caught:
                read(path)
            assert str(path) in one_line(caught)
