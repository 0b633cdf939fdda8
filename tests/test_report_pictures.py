"""Pictures as people have them: odd words, bright light, ink on nothing, any suffix."""

import io
import struct
import zlib

import cv2
import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
import torch
from conftest import call_cli, shared
from PIL import Image, ImageDraw
from test_decoding import HDR, ffmpeg, quarters
from test_deep_pictures import deep, frame_of, swapped_profile

from dreamvid import media
from dreamvid.errors import MediaError, SettingsError
from dreamvid.frames import Size, to_pixels
from dreamvid.media import png
from dreamvid.media.backgrounds import colour_of

DREAM = ("--octaves", "1", "--iterations", "0")

# ---- what stands beside the picture in a PNG ----------------------------------------------------


def values():
    return (deep() >> 8).astype(np.uint8)


def png_bytes(*chunks, pixels=None, end=()):
    buffer = io.BytesIO()
    Image.fromarray(values() if pixels is None else pixels).save(buffer, "PNG")
    data = buffer.getvalue()
    return data[:33] + b"".join(chunks) + data[33:-12] + b"".join(end) + data[-12:]


def wrong(chunk):
    return chunk[:-4] + bytes(byte ^ 255 for byte in chunk[-4:])


LONG = zlib.compress(b"x" * 20_000_000)
ODD_CHUNKS = {
    "long zTXt": png.chunk(b"zTXt", b"Comment\0\0" + LONG),
    "long iTXt": png.chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + LONG),
    "long plain iTXt": png.chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b"<x/>" * 600_000),
    "long tEXt": png.chunk(b"tEXt", b"parameters\0" + b"a dream, " * 300_000),
    "many texts": b"".join(
        png.chunk(b"zTXt", b"k%d\0\0" % n + zlib.compress(b"y" * 500_000)) for n in range(150)
    ),
    "torn zTXt": png.chunk(b"zTXt", b"Comment\0\0" + LONG[:50]),
    "no zlib": png.chunk(b"zTXt", b"Comment\0\0" + b"nothing of the kind"),
    "odd method": png.chunk(b"zTXt", b"Comment\0\7" + LONG),
    "no key": png.chunk(b"tEXt", b"\0text"),
    "no text": png.chunk(b"tEXt", b"lonely"),
    "not UTF-8": png.chunk(b"iTXt", b"Title\0\0\0de\0Titel\0Gro\xdfe \xd6per"),
    "short iTXt": png.chunk(b"iTXt", b"Title\0\0"),
    "wrong checksum": wrong(png.chunk(b"tEXt", b"Comment\0hello")),
    "odd EXIF": png.chunk(b"eXIf", b"no EXIF at all"),
    "torn EXIF": png.chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\x50"),
    "odd profile": png.chunk(b"iCCP", b"ICC\0\0no profile"),
    "torn profile": png.chunk(b"iCCP", b"ICC\0\0" + zlib.compress(bytes(9000))[:20]),
    "profile bomb": png.chunk(b"iCCP", b"ICC\0\0" + zlib.compress(bytes(40_000_000))),
    "wrong checksum of a profile": wrong(png.chunk(b"iCCP", b"ICC\0\0" + zlib.compress(b"x"))),
    "odd sizes": png.chunk(b"pHYs", b"\1") + png.chunk(b"gAMA", b"") + png.chunk(b"cHRM", b"12"),
    "odd time": wrong(png.chunk(b"tIME", b"1234567")),
    "unknown": png.chunk(b"prVt", bytes(2_000_000)) + png.chunk(b"npTc", b"\0"),
    "two of each": png.chunk(b"tEXt", b"a\0b") * 2 + png.chunk(b"sRGB", b"\0") * 2,
}


@pytest.mark.parametrize("name", ODD_CHUNKS)
@pytest.mark.parametrize("place", ["before", "after"])
def test_a_bad_chunk_is_no_bad_picture(tmp_path, name, place):
    path = tmp_path / "a.png"
    chunk = ODD_CHUNKS[name]
    path.write_bytes(png_bytes(chunk) if place == "before" else png_bytes(end=(chunk,)))
    assert np.array_equal(to_pixels(media.read_picture(path)), values())
    assert isinstance(media.read_metadata(path), dict)


@pytest.mark.parametrize("name", ODD_CHUNKS)
def test_a_bad_chunk_is_no_bad_deep_picture_or_animation(tmp_path, name):
    path = tmp_path / "a.png"
    _, packed = cv2.imencode(".png", deep()[..., ::-1])
    data = packed.tobytes()
    path.write_bytes(data[:33] + ODD_CHUNKS[name] + data[33:])
    assert torch.equal(media.read_picture(path), frame_of(deep()))
    first, second = (Image.fromarray(np.ascontiguousarray(values()[::step])) for step in (1, -1))
    first.save(path, save_all=True, append_images=[second], duration=100)
    data = path.read_bytes()
    path.write_bytes(data[:-12] + ODD_CHUNKS[name] + data[-12:])
    film = media.probe(path)
    frames = list(media.decoded(path, film))
    assert [np.array_equal(frame, values()[::step]) for frame, step in
            zip(frames, (1, -1), strict=True)] == [True, True]  # fmt: skip


def test_a_large_profile_is_followed(tmp_path):
    path = tmp_path / "a.png"
    rng = np.random.default_rng(1)
    profile = swapped_profile() + rng.integers(0, 256, 3_000_000, np.uint8).tobytes()
    profile = len(profile).to_bytes(4, "big") + profile[4:]
    path.write_bytes(png_bytes(png.chunk(b"iCCP", b"ICC\0\0" + zlib.compress(profile, 1))))
    got = to_pixels(media.read_picture(path)).astype(int)
    assert np.abs(got - values()[..., [1, 0, 2]]).max() <= 2


def test_an_orientation_among_words_counts(tmp_path):
    path = tmp_path / "a.png"
    exif = Image.Exif()
    exif[0x0112] = 6
    body = b"\nexif\n%8d\n" % len(exif.tobytes()) + exif.tobytes().hex().encode()
    words = png.chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(body))
    path.write_bytes(png_bytes(words, ODD_CHUNKS["long zTXt"]))
    assert np.array_equal(to_pixels(media.read_picture(path)), np.rot90(values(), -1))


def test_what_is_wrong_with_the_picture_itself_is_still_told(tmp_path):
    path = tmp_path / "a.png"
    data = png_bytes(ODD_CHUNKS["long zTXt"])
    header = b"IHDR" + (30000).to_bytes(4, "big") * 2 + data[24:29]
    for bad, word in (
        (data[:-200], "damaged"),
        (data[:8] + png.chunk(header[:4], header[4:]) + data[33:], "too large"),
        (data[:33] + data[-12:], "damaged"),
    ):
        path.write_bytes(bad)
        with pytest.raises(MediaError, match=word) as caught:
            media.read_picture(path)
        assert "\n" not in str(caught.value)


def test_odd_words_in_other_pictures(tmp_path):
    jpeg, path = io.BytesIO(), tmp_path / "a.jpg"
    Image.fromarray(cv2.GaussianBlur(values(), (0, 0), 3)).save(jpeg, "JPEG", quality=95)
    data = jpeg.getvalue()
    plain = tmp_path / "plain.jpg"
    plain.write_bytes(data)
    expected = media.read_picture(plain)
    for segment in (
        b"\xff\xe1" + (22).to_bytes(2, "big") + b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\0\0\0\0",
        b"\xff\xe1"
        + (40).to_bytes(2, "big")
        + b"http://ns.adobe.com/xap/1.0/\0<x:\xff\xfe>   "[:38],
        b"\xff\xe2" + (30).to_bytes(2, "big") + b"ICC_PROFILE\0\1\3broken profile",
        b"\xff\xfe" + (14).to_bytes(2, "big") + b"Gro\xdfe \xd6per  ",
    ):
        path.write_bytes(data[:2] + segment + data[2:])
        assert torch.equal(media.read_picture(path), expected)
    webp = tmp_path / "a.webp"
    Image.fromarray(values()).save(
        webp, lossless=True, xmp=b"<x>\xff" * 400_000, exif=b"Exif\0\0nope"
    )
    assert np.array_equal(to_pixels(media.read_picture(webp)), values())


def test_a_report_with_a_large_text():
    assert media.read_picture(shared("media/reports/big_ztxt.png")).shape == (3, 120, 160)


# ---- a high dynamic range -----------------------------------------------------------------------


def steps(transfer):
    """(64, 96, 3): black, an 18 % grey, white and a highlight, as signals of 16 bits."""
    levels = np.repeat(np.array(HDR[transfer]) * 65535, 24).astype("<u2")
    return np.ascontiguousarray(np.broadcast_to(levels[None, :, None], (64, 96, 3)))


def must_look_ordinary(frame):
    black, grey, white, bright = (frame[:, 32, 12 + 24 * n].numpy() for n in range(4))
    for shade in (black, grey, white, bright):
        assert np.ptp(shade) < 0.02
    assert black.max() < 0.02
    assert 0.30 < grey.mean() < 0.55
    assert 0.72 < white.mean() < 0.95
    assert white.mean() + 0.03 < bright.mean() <= 1


CICP = {"smpte2084": 16, "arib-std-b67": 18}


@pytest.mark.parametrize("transfer", HDR)
@pytest.mark.parametrize("depth", [8, 16])
def test_hdr_png(tmp_path, transfer, depth):
    pixels, path = steps(transfer), tmp_path / "a.png"
    stored = pixels if depth == 16 else (pixels >> 8).astype(np.uint8)
    _, packed = cv2.imencode(".png", stored)
    data, chunk = packed.tobytes(), png.chunk(b"cICP", bytes([9, CICP[transfer], 0, 1]))
    path.write_bytes(data[:33] + chunk + data[33:])
    must_look_ordinary(media.read_picture(path))


@pytest.mark.parametrize("transfer", HDR)
@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_hdr_by_a_profile(tmp_path, transfer, suffix):
    path, profile = tmp_path / f"a.{suffix}", bytearray(swapped_profile())
    count = int.from_bytes(profile[128:132], "big")
    for entry in (132 + 12 * n for n in range(count)):
        if profile[entry : entry + 4] == b"rTRC":  # in whose place the tag stands
            profile[entry : entry + 12] = b"cicp" + len(profile).to_bytes(4, "big") + b"\0\0\0\x0c"
    profile += b"cicp\0\0\0\0" + bytes([9, CICP[transfer], 0, 1])
    profile[:4] = len(profile).to_bytes(4, "big")
    options = {"png": {}, "jpg": {"quality": 98}, "webp": {"lossless": True}}[suffix]
    picture = Image.fromarray((steps(transfer) >> 8).astype(np.uint8))
    picture.save(path, icc_profile=bytes(profile), **options)
    must_look_ordinary(media.read_picture(path))


@pytest.mark.parametrize("transfer", HDR)
def test_hdr_avif(tmp_path, transfer):
    path = tmp_path / "a.avif"
    tags = f"colorspace=bt2020nc:color_primaries=bt2020:color_trc={transfer}:range=tv"
    chain = f"scale=out_color_matrix=bt2020:out_range=tv,setparams={tags},format=yuv420p10le"
    ffmpeg("-f", "rawvideo", "-pix_fmt", "rgb48le", "-s", "96x64", "-i", "pipe:0", "-vf", chain,
           "-c:v", "libaom-av1", "-cpu-used", 8, "-crf", 4, path,
           feed=steps(transfer).tobytes())  # fmt: skip
    must_look_ordinary(media.read_picture(path))


@pytest.mark.parametrize("transfer", HDR)
def test_hdr_heic(tmp_path, transfer):
    pillow_heif = pytest.importorskip("pillow_heif", reason="an extra")
    path, pixels = tmp_path / "a.heic", steps(transfer)
    file = pillow_heif.from_bytes(mode="RGB;16", size=(96, 64), data=pixels.tobytes())
    file.save(path, quality=95, chroma=444, matrix_coefficients=9, color_primaries=9,
              transfer_characteristics=CICP[transfer], full_range_flag=1)  # fmt: skip
    must_look_ordinary(media.read_picture(path))


# ---- ink on nothing -----------------------------------------------------------------------------


def drawing(ink, size=(96, 64)):
    picture = Image.new("RGBA", size, (0, 0, 0, 0))
    pen = ImageDraw.Draw(picture)
    pen.ellipse((20, 10, 70, 54), outline=ink, width=5)
    pen.line((4, 60, 90, 6), fill=ink, width=4)
    return picture


def background_of(path):
    said = []
    frame = media.read_picture(path, say=said.append)
    assert len(said) == 1
    assert "\n" not in said[0]
    return to_pixels(frame)[2, 2].tolist(), said[0]


@pytest.mark.parametrize("suffix", ["png", "webp", "tiff", "gif", "avif"])
def test_a_drawing_shows_on_its_background(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    options = {"lossless": True} if suffix == "webp" else {}
    for ink, expected in (
        ((0, 0, 0, 255), 255),
        ((40, 30, 40, 255), 255),
        ((255, 255, 255, 255), 0),
        ((20, 60, 250, 255), 0),
    ):
        drawing(ink).save(path, **options)
        shade, line = background_of(path)
        assert np.abs(np.array(shade) - expected).max() <= 3
        assert ("white" if expected else "black") in line
        assert "--background" in line
        assert np.ptp(to_pixels(media.read_picture(path))) > 150


def test_black_and_white_ink_show_on_grey(tmp_path):
    path = tmp_path / "a.png"
    both = drawing((0, 0, 0, 255))
    ImageDraw.Draw(both).rectangle((76, 30, 94, 62), fill=(255, 255, 255, 255))
    both.save(path)
    assert background_of(path)[0] == [128] * 3


def test_an_opaque_picture_needs_no_background(tmp_path):
    path, said = tmp_path / "a.png", []
    Image.new("RGBA", (40, 30), (0, 0, 0, 255)).save(path)
    assert media.read_picture(path, say=said.append).max() == 0
    assert not said


def test_a_deep_drawing(tmp_path):
    path = tmp_path / "a.png"
    rgba = np.asarray(drawing((0, 0, 0, 255))).astype(np.uint16) * 257
    cv2.imwrite(str(path), rgba)
    assert background_of(path)[0] == [255] * 3


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp", "a.mov", "a.webm"])
def test_a_drawn_film_shows_on_its_background(tmp_path, name):
    path, said = tmp_path / name, []
    pictures = [Image.new("RGBA", (96, 64)), drawing((0, 0, 0, 255)), drawing((9, 9, 9, 255))]
    if name.endswith(("gif", "png", "webp")):
        options = {"disposal": 2} if name.endswith("gif") else {}
        pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100, **options)
    else:
        raw = b"".join(picture.tobytes() for picture in pictures)
        codec = ("-c:v", "prores_ks", "-profile:v", "4444", "-pix_fmt", "yuva444p10le")
        if name.endswith("webm"):
            codec = ("-c:v", "libvpx-vp9", "-crf", 5, "-b:v", 0, "-pix_fmt", "yuva420p")
        ffmpeg("-f", "rawvideo", "-pix_fmt", "rgba", "-s", "96x64", "-r", 10, "-i", "pipe:0",
               *codec, path, feed=raw)  # fmt: skip
    film = media.probe(path)
    frames = list(media.decoded(path, film, say=said.append))
    scale = np.iinfo(frames[0].dtype).max
    assert len(frames) == 3
    assert len(said) == 1
    assert "white" in said[0]
    for frame in frames:
        assert frame[2, 2].min() > 0.97 * scale
    assert frames[1].min() < 0.1 * scale
    (blue, *_) = media.decoded(path, film, background=(0, 0, 255), say=said.append)
    assert np.abs(blue[2, 2] / scale - [0, 0, 1]).max() < 0.03
    assert len(said) == 1


def test_backgrounds_from_the_command_line(tmp_path):
    ink, out = tmp_path / "ink.png", tmp_path / "out.png"
    drawing((0, 0, 0, 255)).save(ink)
    result = call_cli("image", ink, "-o", out, *DREAM)
    assert result.returncode == 0, result.stderr
    assert "background is white" in result.stderr
    assert np.abs(iio.imread(out, plugin="pillow")[2, 2] - 255.0).max() <= 2
    result = call_cli("image", ink, "-o", out, *DREAM, "--background", "#10c020", "--overwrite")
    assert "background is" not in result.stderr
    assert np.abs(iio.imread(out, plugin="pillow")[2, 2] - (16.0, 192.0, 32.0)).max() <= 2
    result = call_cli("image", ink, "-o", out, *DREAM, "--background", "blurple", "--overwrite")
    assert result.returncode == 2
    assert "blurple" in result.stderr
    with pytest.raises(SettingsError, match="expected a colour"):
        colour_of("rgb(1,2")
    assert colour_of(None) is None
    assert colour_of("White") == (255, 255, 255)


@pytest.mark.parametrize("suffix", ["png", "webp", "tiff"])
def test_transparency_can_be_kept(tmp_path, suffix):
    ink, out = tmp_path / "ink.png", tmp_path / f"out.{suffix}"
    drawing((0, 0, 0, 255)).save(ink)
    result = call_cli("image", ink, "-o", out, *DREAM, "--keep-alpha")
    assert result.returncode == 0, result.stderr
    expected = np.asarray(drawing((0, 0, 0, 255)))[..., 3]
    assert np.array_equal(iio.imread(out, plugin="pillow")[..., 3], expected)
    half = tmp_path / f"half.{suffix}"
    result = call_cli("image", ink, "-o", half, *DREAM, "--keep-alpha", "--size", "48x32")
    assert result.returncode == 0, result.stderr
    got = iio.imread(half, plugin="pillow")[..., 3].astype(int)
    assert got.shape == (32, 48)
    assert np.abs(got - cv2.resize(expected, (48, 32), interpolation=cv2.INTER_AREA)).mean() < 8


def test_where_transparency_cannot_be_kept(tmp_path):
    ink = tmp_path / "ink.png"
    drawing((0, 0, 0, 255)).save(ink)
    result = call_cli("image", ink, "-o", tmp_path / "a.jpg", *DREAM, "--keep-alpha")
    assert result.returncode == 2
    assert "JPEG has no transparency" in result.stderr
    result = call_cli("zoom", ink, "-o", tmp_path / "a.mp4", "--set", "picture.keep_alpha=true")
    assert result.returncode == 2
    assert "keep_alpha" in result.stderr
    with pytest.raises(MediaError, match="no transparency"):
        media.write_picture(
            torch.zeros(3, 20, 30), tmp_path / "a.jpg", alpha=np.ones((20, 30), np.float32)
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ink.png"]


# ---- any suffix ---------------------------------------------------------------------------------


def test_a_folder_is_read_by_what_is_in_it(tmp_path):
    source, out = tmp_path / "photos", tmp_path / "dreams"
    source.mkdir()
    picture = Image.fromarray(values())
    for name, kind in (("a.jfif", "JPEG"), ("b.jpe", "JPEG"), ("d.tif", "TIFF"), ("e", "PNG"),
                       ("f.dat", "WEBP"), ("g.gif", "GIF")):  # fmt: skip
        picture.save(source / name, kind)
    picture.save(source / "c.mpo", "MPO", save_all=True, append_images=[picture])
    (source / "notes.txt").write_text("not a picture")
    (source / "list.png").write_text("nor this")
    (source / ".hidden.png").write_bytes((source / "e").read_bytes())
    result = call_cli("image", source, "-o", out, *DREAM)
    assert result.returncode == 0, result.stderr
    made = sorted(path.name for path in out.iterdir() if not path.name.startswith("."))
    assert made == ["a.jfif", "b.jpe", "c.mpo.png", "d.tif", "e.png", "f.dat.png", "g.gif.png"]
    for name in made:
        assert media.read_picture(out / name).shape == (3, 34, 48)
    assert "2 files are no pictures and are skipped: list.png, notes.txt" in result.stderr
    again = call_cli("image", source, "-o", out, *DREAM)
    assert again.returncode == 0


def test_a_report_saved_from_a_browser():
    assert media.is_still(shared("media/reports/saved_from_browser.jfif"))


def test_masks_are_pictures_or_films_by_what_is_in_them(tmp_path):
    still, moving = tmp_path / "mask.dat", tmp_path / "mask.png"
    first, second = Image.new("L", (48, 34), 255), Image.new("L", (48, 34), 0)
    first.save(still, "JPEG")
    first.save(moving, save_all=True, append_images=[second], duration=100)
    assert media.is_still(still)
    assert not media.is_still(moving)
    first.save(tmp_path / "one.gif")
    assert media.is_still(tmp_path / "one.gif")
    assert media.is_picture(moving)
    assert not media.is_picture(tmp_path / "none")


def test_alpha_at_another_size(tmp_path):
    path = tmp_path / "a.png"
    drawing((0, 0, 0, 255)).save(path)
    alpha = media.read_alpha(path, Size(32, 48))
    assert alpha is not None
    assert alpha.shape == (32, 48)
    assert 0 <= alpha.min() < alpha.max() <= 1
    Image.fromarray(values()).save(path)
    assert media.read_alpha(path, Size(34, 48)) is None


# ---- what scanners, microscopes and cameras write -----------------------------------------------


def grey_of(picture):
    return np.asarray(Image.fromarray(picture).convert("L"))


@pytest.mark.parametrize(
    ("kind", "turned"),
    [
        ({"photometric": "miniswhite"}, lambda grey: 65535 - grey.astype(np.uint16) * 257),
        ({"photometric": "minisblack", "extrasamples": ["unassalpha"]},
         lambda grey: np.dstack([grey.astype(np.uint16) * 257, np.full(grey.shape, 65535, "u2")])),
        ({"photometric": "minisblack"}, lambda grey: grey.astype(np.int16) * 128 - 1),
    ],
)  # fmt: skip
def test_a_tiff_of_16_bit_grey(tmp_path, kind, turned):
    grey = grey_of(quarters(30))
    tifffile.imwrite(tmp_path / "a.tif", turned(grey), **kind)
    found = media.read_picture(tmp_path / "a.tif")[1].numpy() * 255
    assert np.abs(found - grey).max() <= 1.1


def test_a_camera_s_raw_picture_is_not_its_preview(tmp_path):
    path = tmp_path / "a.dng"
    with tifffile.TiffWriter(path) as file:
        file.write(quarters(1), photometric="rgb", subfiletype=1, subifds=1)
        file.write(grey_of(quarters(1)).astype(np.uint16), photometric=32803, subfiletype=0)
    with pytest.raises(MediaError, match=r"raw picture.*export a TIFF"):
        media.read_picture(path)


def test_psd_qoi_and_sgi_are_read(tmp_path):
    picture = quarters(7)
    for suffix in ("qoi", "sgi"):
        Image.fromarray(picture).save(tmp_path / f"a.{suffix}")
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 64, 96, 8, 3)
    planes = struct.pack(">IIIH", 0, 0, 0, 0) + np.moveaxis(picture, -1, 0).tobytes()
    (tmp_path / "a.psd").write_bytes(head + planes)
    for path in tmp_path.iterdir():
        found = media.read_picture(path).permute(1, 2, 0).numpy() * 255
        assert np.array_equal(found.round().astype(np.uint8), picture), path
