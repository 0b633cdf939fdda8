"""What people give that cannot be used, or hardly: one line and nothing left, or the right picture.

Groups of bad input, and where they are tried beside here:

=====  ==================================================  ===========================
1-8    no file, a folder, a pipe, empty, text, noise       test_media, test_decoding
7      no permission to read                               test_media
9-25   pictures: torn, turned, deep, clear, huge, foreign  test_media
26-31  films: torn, corrupt, without pictures              test_decoding, test_video
32-45  films: uneven, turned, deep, layered, playlists     test_decoding
46-48  names, places, numbers                              test_sinks, test_cli
49-51  unknown names, presets, schedules                   test_settings, test_schedules
52     weights                                             test_weights, test_fetching
54     sound                                               test_sound
55     loops                                               test_loops
56-58  colour, determinism, counts                         test_sinks
=====  ==================================================  ===========================
"""

import io
import os
import pickle

import numpy as np
import pytest
from conftest import call_cli
from PIL import Image
from test_decoding import CORNERS, FLAT, TAGGED, WIDTH, ffmpeg, made, numbers, quarters
from test_media import bad_crc, bomb_header, picture_bytes

from dreamvid import media

STILL = ("--octaves", 1, "--iterations", 0, "--set", "machine.threads=1")
"""A dream that changes nothing, so that what was read can be seen."""
SMALL = (*STILL, "--min-free", 0, "--frames", 2, "--quiet")
COMMANDS = {
    "image": ("image", "-o", "out.png", *STILL),
    "zoom": ("zoom", "-o", "out.mp4", "--size", "96x64", *SMALL),
    "loop": ("loop", "-o", "out.mp4", "--size", "96x64", *SMALL, "--frames", 3),
    "video": ("video", "-o", "out.mp4", *SMALL),
}


def content(folder):
    """Everything in a folder, by name; pipes by their name alone."""
    return {
        path.relative_to(folder): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def must_refuse(folder, status, words, *arguments):
    """The command ends in one line that holds `words`, and leaves the folder as it was."""
    before = content(folder)
    result = call_cli(*arguments, cwd=folder)
    assert result.returncode == status, (result.returncode, result.stderr)
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert words in result.stderr
    assert len(result.stderr) < 2000
    assert content(folder) == before


# ---- 1 to 31, 45: files that cannot be used ----------------------------------------------------

NO_PICTURE = {
    "missing.jpg": (None, "no such file"),
    "empty.jpg": (b"", "empty"),
    "text.jpg": (b"this is no picture\n" * 40, "expected JPEG"),
    "noise.jpg": (bytes(range(256)) * 9, "expected JPEG"),
    "torn.jpg": (picture_bytes("JPEG")[:-600], "damaged"),
    "torn.png": (picture_bytes("PNG")[:2000], "damaged"),
    "crc.png": (bad_crc(), "damaged"),
    "dot.png": (picture_bytes("PNG", np.zeros((1, 1, 3), np.uint8)), "1x1 is too small"),
    "line.png": (picture_bytes("PNG", np.zeros((1, 5000, 3), np.uint8)), "5000x1 is too small"),
    "bomb.png": (bomb_header(15000), "too large"),
    "larger.png": (bomb_header(30000), "too large"),
    "largest.png": (bomb_header(65000), "too large"),
    "phone.heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
    "drawing.svg": (b'<svg width="9" height="9"></svg>', "SVG"),
}


@pytest.mark.parametrize("command", ["image", "zoom", "loop"])
@pytest.mark.parametrize("name", NO_PICTURE)
def test_what_is_no_picture(command, name, tmp_path):
    data, words = NO_PICTURE[name]
    if data is not None:
        (tmp_path / name).write_bytes(data)
    must_refuse(tmp_path, 2, words, *COMMANDS[command], name)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("place", ["folder.png", "pipe.png", "/dev/zero"])
def test_places_that_are_no_files(command, place, tmp_path):
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    words = "folder" if "folder" in place else "pipe or device"
    must_refuse(tmp_path, 2, words, *COMMANDS[command], place)


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Films of 8 numbered pictures, plain and otherwise."""
    folder = tmp_path_factory.mktemp("films")
    plain = made(folder / "plain.mp4", 8)
    data = plain.read_bytes()
    ffmpeg("-i", plain, "-c", "copy", "-movflags", "+faststart", folder / "fast.mp4")
    ffmpeg("-i", plain, "-c", "copy", folder / "film.mkv")
    ffmpeg("-i", plain, "-c", "copy", "-movflags", "frag_keyframe+empty_moov", folder / "parts.mp4")
    (folder / "text.mp4").write_text("no film\n" * 99)
    (folder / "noise.mp4").write_bytes(np.random.default_rng(1).bytes(9999))
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "moovless.mp4").write_bytes(data[: data.index(b"moov") - 4])
    (folder / "concat.mp4").write_text("ffconcat version 1.0\nfile plain.mp4\n")
    (folder / "list.mp4").write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:2,\nplain.mp4\n#EXT-X-ENDLIST\n"
    )
    Image.fromarray(quarters(3)).save(folder / "cover.jpg")
    ffmpeg("-f", "lavfi", "-i", "sine=duration=0.2", folder / "tone.m4a")
    ffmpeg(
        *("-i", folder / "tone.m4a", "-i", folder / "cover.jpg", "-map", 0, "-map", 1),
        *("-c:a", "copy", "-c:v", "mjpeg", "-disposition:v", "attached_pic", folder / "song.m4a"),
    )
    ffmpeg("-i", plain, "-c", "copy", "-frames:v", 0, folder / "frameless.mp4")
    for name in ("fast.mp4", "film.mkv", "parts.mp4"):
        whole = (folder / name).read_bytes()
        (folder / f"torn-{name}").write_bytes(whole[: len(whole) * 3 // 4])
    corrupt = bytearray(data)
    start, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    corrupt[start + (end - start) // 2 : start + (end - start) // 2 + 400] = bytes(400)
    (folder / "corrupt.mp4").write_bytes(corrupt)
    return folder


@pytest.mark.parametrize(
    ("name", "words"),
    [
        *(("absent.mp4", "no such file"), ("empty.mp4", "empty"), ("text.mp4", "can be read")),
        *(("noise.mp4", "can be read"), ("moovless.mp4", "breaks off")),
        *(("tone.m4a", "no video"), ("song.m4a", "only a cover picture")),
        *(("frameless.mp4", "no video"), ("cover.jpg", "is a picture")),
        *(("concat.mp4", "playlist"), ("list.mp4", "playlist")),
        ("corrupt.mp4 --strict", "damaged"),
    ],
)
def test_what_is_no_film(name, words, films):
    must_refuse(films, 2, words, *COMMANDS["video"], *name.split())


def dreamed_over(source, folder, *flags):
    """The frames of a dream over a film that changes nothing, and what was said."""
    out = folder / "frames"
    flags = ("--set", "carry.name=none", "--min-free", 0, *flags)
    result = call_cli("video", source, "-o", out, *STILL, *flags)
    assert result.returncode == 0, result.stderr
    frames = [np.asarray(Image.open(path)) for path in sorted(out.glob("*.png"))]
    return frames, result.stderr


@pytest.mark.parametrize(
    ("name", "fewest"), [("fast.mp4", 2), ("film.mkv", 2), ("parts.mp4", 1), ("corrupt.mp4", 8)]
)
def test_damaged_films_are_dreamed_as_far_as_they_go(name, fewest, films, tmp_path):
    source = films / (name if name == "corrupt.mp4" else f"torn-{name}")
    frames, told = dreamed_over(source, tmp_path)
    assert fewest <= len(frames) <= 8
    assert source.name in told
    assert numbers(frames)[0] == 0
    if len(frames) < 8 and "parts" not in name:
        assert f"the input ends after {len(frames)} of" in told or "frames could be read" in told


# ---- 12 to 25: pictures that must come out right -----------------------------------------------

FLATS = Image.fromarray(quarters(0))


def with_alpha():
    alpha = Image.new("L", FLATS.size, 255)
    alpha.paste(0, (0, 0, 48, 32))
    clear = FLATS.copy()
    clear.putalpha(alpha)
    return clear


def palette_with_transparency():
    image = FLATS.quantize(16)
    image.info["transparency"] = image.getpixel((2, 2))
    return image


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    back = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90}
    image = FLATS.transpose(back[orientation]) if orientation in back else FLATS
    return saved(image, "PNG", exif=exif)


def corrupted():
    data = bytearray(saved(FLATS, "JPEG", quality=95))
    data[-40] ^= 0x55  # near the end of the picture's lower right
    return bytes(data)


GREYS = np.array(FLATS.convert("L"))
CLEAR = CORNERS * np.array([[[0], [1]], [[1], [1]]])
GREY = np.repeat(GREYS[[[5, 5], [-5, -5]], [[5, -5], [5, -5]]][..., None], 3, 2)
RIGHT = {
    "turned 3": (turned(3), CORNERS),
    "turned 6": (turned(6), CORNERS),
    "turned 42": (turned(42), CORNERS),
    "16-bit grey": (saved(Image.fromarray(GREYS.astype(np.uint16) * 257), "PNG"), GREY),
    "alpha": (saved(with_alpha(), "PNG"), CLEAR),
    "grey and alpha": (saved(with_alpha().convert("LA"), "PNG"), GREY * (CLEAR > 0)),
    "palette": (saved(palette_with_transparency(), "PNG"), CLEAR),
    "cmyk": (saved(FLATS.convert("CMYK"), "JPEG", quality=95), CORNERS),
    "one bit": (saved(FLATS.convert("L").point(lambda v: 255 * (v > 100), "1"), "PNG"),
                255 * (GREY > 100)),
    "grey": (saved(FLATS.convert("L"), "PNG"), GREY),
    "float": (saved(Image.fromarray(GREYS.astype(np.float32) / 255), "TIFF"), GREY),
    "animation": (saved(FLATS, "GIF", save_all=True, append_images=[Image.new("RGB", (96, 64))]),
                  CORNERS),
    "png called jpg": (saved(FLATS, "PNG"), CORNERS),
    "corrupt body": (corrupted(), CORNERS),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_odd_pictures_come_out_right(name, tmp_path):
    data, wanted = RIGHT[name]
    (tmp_path / "seed.jpg").write_bytes(data)
    black = ("--background", "black")
    result = call_cli("image", "seed.jpg", "-o", "out.png", *STILL, *black, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    found = np.asarray(Image.open(tmp_path / "out.png")).astype(int)
    assert found.shape == (64, WIDTH, 3)
    near = [[5, 5], [-5, -5]], [[5, -5], [5, -5]]
    wrong = np.abs(found[near] - wanted)
    if name == "corrupt body":
        wrong = wrong[:1]  # the upper half lies before the corrupt bytes
    assert wrong.max() <= 12, found[near]


# ---- 31 to 43: films that must come out right --------------------------------------------------


def test_odd_films_come_out_right(films, tmp_path):
    plain = films / "plain.mp4"

    def check(name, wanted, count=8, tolerance=12):
        folder = tmp_path / name.partition(".")[0]
        folder.mkdir()
        frames, _ = dreamed_over(tmp_path / name, folder, "--size", max(wanted.shape[:2]))
        assert len(frames) == count, name
        assert frames[0].shape == wanted.shape, name
        inset = [[5, 5], [-5, -5]], [[5, -5], [5, -5]]
        error = np.abs(frames[0][inset].astype(int) - wanted[inset])
        assert error.max() <= tolerance, (name, frames[0][inset])
        return frames

    flat = quarters(0)
    for angle in (90, 180, 270):
        ffmpeg("-display_rotation", angle, "-i", plain, "-c", "copy", tmp_path / f"t{angle}.mp4")
        check(f"t{angle}.mp4", np.rot90(flat, angle // 90))
    made(tmp_path / "wide.mp4", 4, "-vf", f"{TAGGED},setsar=2/1")
    check("wide.mp4", np.repeat(flat, 2, 1), count=4)
    made(tmp_path / "one.mp4", 1)
    check("one.mp4", flat, count=1)
    made(tmp_path / "ten.mp4", 4, "-vf", TAGGED.replace("yuv420p", "yuv420p10le"))
    check("ten.mp4", flat, count=4)
    ffmpeg("-i", plain, "-c", "copy", "-output_ts_offset", 10, tmp_path / "late.ts")
    assert numbers(check("late.ts", flat)) == list(range(8))
    ffmpeg("-i", plain, "-c", "copy", tmp_path / "raw.h264")
    assert numbers(check("raw.h264", flat)) == list(range(8))
    black = ("-f", "lavfi", "-i", "color=black:s=96x64:r=25:d=0.3", "-map", 0, "-map", 1)
    ffmpeg("-i", plain, *black, *FLAT, tmp_path / "two.mkv")
    check("two.mkv", flat)


# ---- 46 to 48: names, places, numbers ----------------------------------------------------------


@pytest.fixture
def seeded(tmp_path):
    FLATS.save(tmp_path / "seed.png")
    return tmp_path


NAMES = ("with space", "é", "-dash", "co:lon", "%03d", "new\nline", "x" * 240, "'\"$(x)`", "a;b&c")


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name[:12]))
def test_odd_names(name, seeded):
    (seeded / "seed.png").rename(seeded / f"{name}.png")
    seed, out = seeded / f"{name}.png", seeded / f"{name}.mp4"
    result = call_cli("zoom", seed, "-o", out, "--size", "96x64", *SMALL)
    assert result.returncode == 0, result.stderr
    assert len(list(media.frames_of(out))) == 2
    again = call_cli("encode", f"{out}.dream", "--overwrite", "--quiet")
    assert again.returncode == 0, again.stderr
    assert {path.name for path in seeded.iterdir()} == {seed.name, out.name, f"{out.name}.dream"}


REFUSED = {
    "no suffix known": (("-o", "out.xyz"), "no encoder for '.xyz'"),
    "a dot alone": (("-o", ".mp4"), "no encoder"),
    "no folder": (("-o", "no/where.mp4"), "no folder"),
    "a folder": (("-o", "."), "no encoder"),
    "there": (("-o", "there.mp4"), "--overwrite"),
    "the input": (("-o", "seed.png", "--overwrite"), "seed.png"),
    "a zero byte": (("-o", "a\0b.mp4"), "null byte"),
    "a long name": (("-o", "x" * 252 + ".mp4"), "bytes"),
    "no frames": (("--frames", "0"), "film.frames"),
    "fewer than none": (("--frames", "-1"), "film.frames"),
    "too many frames": (("--frames", "1000000000"), "film.frames"),
    "no rate": (("--fps", "0"), "film.fps"),
    "no number for a rate": (("--fps", "nan"), "film.fps"),
    "too high a rate": (("--fps", "1e9"), "film.fps"),
    "no size": (("--size", "0"), "size"),
    "a negative size": (("--size", "-640x360"), "size"),
    "a huge size": (("--size", "100000"), "size"),
    "a flat size": (("--size", "96x0"), "size"),
    "zoom 0": (("--set", "motion.zoom.rate=0"), "motion.zoom.rate"),
    "zoom -1": (("--set", "motion.zoom.rate=-1"), "motion.zoom.rate"),
    "zoom nan": (("--set", "motion.zoom.rate=nan"), "motion.zoom.rate"),
    "zoom inf": (("--set", "motion.zoom.rate=inf"), "motion.zoom.rate"),
    "seed -1": (("--seed", "-1"), "film.seed"),
    "seed 2^64": (("--seed", str(2**64)), "film.seed"),
    "layer": (("--layer", "4x"), "did you mean '4"),
    "network": (("--network", "pokcet"), "did you mean 'pocket'"),
    "preset": (("--preset", "gentel"), "did you mean 'gentle'"),
    "no such preset file": (("--preset", "no.toml"), "no.toml"),
    "syntax": (("--preset", "syntax.toml"), "not TOML"),
    "unknown key": (("--preset", "key.toml"), "did you mean 'step_size'"),
    "wrong type": (("--preset", "type.toml"), "film.cadence"),
    "no text": (("--preset", "binary.toml"), "not UTF-8"),
    "ten megabytes": (("--preset", "large.toml"), "too long"),
    "its own base": (("--preset", "circle.toml"), "circle.toml"),
    "import": (("--set", "ascent.step_size=__import__('os')"), "ascent.step_size"),
    "a power tower": (("--set", "ascent.step_size=9**9**9**9"), "no finite number"),
    "division": (("--frames", "9", "--set", "ascent.step_size=1/(frame-7)"), "frame 7"),
    "complex": (("--set", "ascent.step_size=(-1)**0.5"), "no finite number"),
    "unsorted": (("--set", "ascent.step_size=60: (1), 0: (2)"), "keys must be in order"),
    "twice": (("--set", "ascent.step_size=0: (1), 0: (2)"), "keys must be in order"),
    "nesting": (("--set", "ascent.step_size=" + "(" * 5000 + "1" + ")" * 5000), "characters"),
    "evil weights": (("--weights", "evil.pth"), "evil.pth"),
    "a script": (("--weights", "module.pt2"), "module.pt2"),
}


class Evil:
    def __reduce__(self):
        return os.system, ("touch owned",)


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_before_anything_is_made(case, seeded):
    arguments, words = REFUSED[case]
    (seeded / "there.mp4").write_bytes(b"older")
    (seeded / "syntax.toml").write_text("ascent = {")
    (seeded / "key.toml").write_text("[ascent]\nstep_sise = 2")
    (seeded / "type.toml").write_text("[film]\ncadence = 'many'")
    (seeded / "binary.toml").write_bytes(bytes(range(128, 256)))
    (seeded / "circle.toml").write_text(f"base = '{seeded}/circle.toml'")
    if case == "ten megabytes":
        (seeded / "large.toml").write_text("#" * 10_000_000)
    (seeded / "evil.pth").write_bytes(pickle.dumps(Evil()))
    (seeded / "module.pt2").write_bytes(b"PK\3\4 no archive")
    base = ("zoom", "seed.png", "--size", "96x64", *SMALL)
    must_refuse(seeded, 2, words, *base, "-o", "out.mp4", *arguments)
    assert not (seeded / "owned").exists()


def test_an_odd_size_gains_an_edge(seeded):
    talking = [each for each in SMALL if each != "--quiet"]
    result = call_cli("zoom", "seed.png", "--size", "97x65", *talking, "-o", "a.mp4", cwd=seeded)
    assert result.returncode == 0, result.stderr
    assert "97x65 becomes 98x66" in result.stderr
    assert next(media.frames_of(seeded / "a.mp4")).shape == (66, 98, 3)


# ---- 57, 58: the same again, and as many frames as were asked for -------------------------------


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif", ".webp", ".apng", ".mov", ""])
def test_twice_the_same_and_as_many_as_asked(suffix, seeded):
    flags = ("--size", "96x64", "--octaves", 2, "--iterations", 1, "--quiet", "--frames", 5)
    flags += ("--set", "machine.threads=1", "--min-free", 0)
    made_ = []
    for name in ("a", "b"):
        out = seeded / f"{name}{suffix}"
        result = call_cli("zoom", "seed.png", "-o", out, *flags, cwd=seeded)
        assert result.returncode == 0, result.stderr
        made_.append(content(out) if out.is_dir() else out.read_bytes())
        count = len(made_[-1]) if out.is_dir() else len(list(media.frames_of(out)))
        assert count == 5
    assert made_[0] == made_[1]
