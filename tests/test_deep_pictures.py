"""Pictures of more than 8 bits, of light rather than colours, and of a high dynamic range."""

import io
import subprocess
import sys

import cv2
import imageio_ffmpeg
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image, ImageCms

from dreamvid import media
from dreamvid.errors import MediaError
from dreamvid.frames import size_of
from dreamvid.media import png
from dreamvid.media.profiles import encoded

HEIGHT, WIDTH = 34, 48


def deep(channels=3):
    """uint16 (34, 48, channels): no two values of a channel alike, so that 8 bits would show."""
    count = HEIGHT * WIDTH
    ramp = np.linspace(3, 65530, count).astype(np.uint16)
    planes = [np.roll(ramp, 411 * n).reshape(HEIGHT, WIDTH) for n in range(channels)]
    return np.stack(planes, axis=-1)


def frame_of(pixels):
    return torch.from_numpy(pixels[..., :3].astype(np.float32).transpose(2, 0, 1) / 65535)


def ffmpeg(*arguments, feed=None):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, input=feed, timeout=60)


@pytest.mark.parametrize("name", ["opencv.png", "opencv.tiff", "plain.tiff", "zlib.tiff",
                                  "planes.tiff", "big.tiff"])  # fmt: skip
def test_16_bit_colour_keeps_every_bit(tmp_path, name):
    path, pixels = tmp_path / name, deep()
    if name.startswith("opencv"):
        cv2.imwrite(str(path), pixels[..., ::-1])  # a TIFF of LZW
    elif name == "planes.tiff":
        planes = np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
        tifffile.imwrite(path, planes, planarconfig="separate", photometric="rgb")
    elif name == "big.tiff":
        tifffile.imwrite(path, pixels, photometric="rgb", byteorder=">", bigtiff=True)
    else:
        packed = {"compression": "zlib", "predictor": True} if name == "zlib.tiff" else {}
        tifffile.imwrite(path, pixels, photometric="rgb", **packed)
    assert torch.equal(media.read_picture(path), frame_of(pixels))


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_16_bits_behind_transparency(tmp_path, suffix):
    path, pixels = tmp_path / f"a.{suffix}", deep(4)
    if suffix == "png":
        cv2.imwrite(str(path), pixels[..., [2, 1, 0, 3]])
    else:
        tifffile.imwrite(path, pixels, photometric="rgb", extrasamples=["unassalpha"])
    alpha = pixels[..., 3:].astype(np.float64) / 65535
    expected = pixels[..., :3] * alpha + np.array([10, 100, 200]) * 257 * (1 - alpha)
    got = media.read_picture(path, background=(10, 100, 200))
    assert (got - frame_of(expected)).abs().max() < 2e-5


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_deep_pictures_are_turned_as_shallow_ones(tmp_path, orientation, suffix):
    shallow, path = tmp_path / f"8.{suffix}", tmp_path / f"16.{suffix}"
    values = (deep() >> 8).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(values).save(shallow, exif=exif)
    if suffix == "tiff":
        tag = [(274, "H", 1, orientation, True)]
        tifffile.imwrite(path, values.astype(np.uint16) * 257, photometric="rgb", extratags=tag)
    else:
        _, packed = cv2.imencode(".png", values[..., ::-1].astype(np.uint16) * 257)
        data, chunk = packed.tobytes(), png.chunk(b"eXIf", exif.tobytes()[6:])
        path.write_bytes(data[:33] + chunk + data[33:])
    assert torch.equal(media.read_picture(path), media.read_picture(shallow))
    assert media.picture_size(path) == size_of(media.read_picture(path))


def swapped_profile():
    """SRGB's profile with red and green exchanged: a converted picture exchanges them too."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = int.from_bytes(data[128:132], "big")
    entries = {bytes(data[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i for i in range(count)}
    red, green = entries[b"rXYZ"], entries[b"gXYZ"]
    data[red : red + 4], data[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(data)


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_profiles_of_deep_pictures_are_followed(tmp_path, suffix):
    path, pixels, profile = tmp_path / f"a.{suffix}", deep(), swapped_profile()
    if suffix == "tiff":
        tifffile.imwrite(path, pixels, photometric="rgb", iccprofile=profile)
    else:
        import zlib

        _, packed = cv2.imencode(".png", pixels[..., ::-1])
        chunk = png.chunk(b"iCCP", b"odd\0\0" + zlib.compress(profile))
        path.write_bytes(packed.tobytes()[:33] + chunk + packed.tobytes()[33:])
    expected = frame_of(pixels[..., [1, 0, 2]])
    assert (media.read_picture(path) - expected).abs().max() < 2e-3


def exr(path, light, form="float", compression="zip16", alpha=None):
    order = [1, 2, 0]
    planes = [light[..., n] for n in order] + ([] if alpha is None else [alpha])
    raw = np.ascontiguousarray(np.stack(planes)).astype("<f4").tobytes()
    kind = "gbrpf32le" if alpha is None else "gbrapf32le"
    height, width, _ = light.shape
    ffmpeg("-f", "rawvideo", "-pix_fmt", kind, "-s", f"{width}x{height}", "-i", "pipe:0",
           "-c:v", "exr", "-format", form, "-compression", compression, "-update", 1,
           "-frames:v", 1, path, feed=raw)  # fmt: skip


@pytest.mark.parametrize("form", ["float", "half"])
@pytest.mark.parametrize("compression", ["none", "rle", "zip1", "zip16"])
def test_openexr_is_light(tmp_path, form, compression):
    path, light = tmp_path / "a.exr", deep() / 65535
    exr(path, light, form, compression)
    expected = frame_of(encoded(light) * 65535)
    assert (media.read_picture(path) - expected).abs().max() < 1e-3


def test_highlights_of_openexr_find_room(tmp_path):
    path = tmp_path / "a.exr"
    light = np.repeat(np.geomspace(0.01, 40, WIDTH)[None], HEIGHT, 0)[..., None] * [1, 0.5, 0.25]
    light[0, 0] = np.nan
    exr(path, light)
    frame = media.read_picture(path)
    assert frame.isfinite().all()
    row = frame[:, 9]
    dim = light[9, :, 0] < 0.79
    expected = encoded(light[9, dim]).T
    assert np.abs(row[:, dim].numpy() - expected).max() < 1e-3
    steps = row[0].diff()
    assert (steps >= 0).all()
    assert (steps[light[9, 1:, 0] < 15] > 0).all()
    assert (row[0] - row[2])[-1] > 0.3  # a bright orange is no white


def test_openexr_on_a_background(tmp_path):
    path, light = tmp_path / "a.exr", np.full((HEIGHT, WIDTH, 3), 0.25)
    alpha = np.ones((HEIGHT, WIDTH))
    alpha[:, :24] = 0.5
    exr(path, light, alpha=alpha)  # which keeps it multiplied, as OpenEXR has it
    frame = media.read_picture(path, background=(255, 0, 0))
    shade = float(encoded(np.float64(0.25)))
    assert torch.allclose(frame[:, 5, 40], torch.tensor([shade] * 3), atol=1e-3)
    assert torch.allclose(
        frame[:, 5, 5], torch.tensor([shade / 2 + 0.5, shade / 2, shade / 2]), atol=1e-3
    )


def test_floating_point_and_radiance(tmp_path):
    signal = (deep() / 65535).astype(np.float32)
    for name, pixels in (("f.tiff", signal), ("h.tiff", signal.astype(np.float16))):
        tifffile.imwrite(tmp_path / name, pixels, photometric="rgb")
        assert (media.read_picture(tmp_path / name) - frame_of(signal * 65535)).abs().max() < 1e-3
    cv2.imwrite(str(tmp_path / "l.tiff"), signal[..., ::-1])  # of LZW or plain, as OpenCV likes
    assert (media.read_picture(tmp_path / "l.tiff") - frame_of(signal * 65535)).abs().max() < 1e-3
    cv2.imwrite(str(tmp_path / "a.hdr"), signal[..., ::-1])
    expected = frame_of(encoded(signal) * 65535)
    assert (media.read_picture(tmp_path / "a.hdr") - expected).abs().max() < 0.06  # shared exponent


def test_bombs_and_torn_files_of_the_deep_kinds(tmp_path):
    exr(tmp_path / "a.exr", deep() / 65535)
    data = (tmp_path / "a.exr").read_bytes()
    at = data.index(b"displayWindow\0box2i\0") + 24
    (tmp_path / "bomb.exr").write_bytes(
        data[: at + 8] + (59999).to_bytes(4, "little") * 2 + data[at + 16 :]
    )
    (tmp_path / "torn.exr").write_bytes(data[: len(data) // 3])
    tifffile.imwrite(tmp_path / "a.tiff", deep(), photometric="rgb")
    data = (tmp_path / "a.tiff").read_bytes()
    (tmp_path / "torn.tiff").write_bytes(data[: len(data) // 3])
    with tifffile.TiffWriter(tmp_path / "bomb.tiff") as tiff:
        tiff.write(deep(), photometric="rgb")
    bomb = bytearray((tmp_path / "bomb.tiff").read_bytes())
    with tifffile.TiffFile(tmp_path / "bomb.tiff") as tiff:
        for name in ("ImageWidth", "ImageLength"):
            tag = tiff.pages[0].tags[name]
            wide = (60000).to_bytes(2 if tag.dtype == 3 else 4, "little")
            bomb[tag.valueoffset : tag.valueoffset + len(wide)] = wide
    (tmp_path / "bomb.tiff").write_bytes(bomb)
    radiance = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n"
    (tmp_path / "bomb.hdr").write_bytes(radiance + b"-Y 60000 +X 60000\n")
    (tmp_path / "torn.hdr").write_bytes(radiance + b"-Y 60 +X 60\n\1\2\3")
    for kind in ("exr", "tiff", "hdr"):
        for state, word in (("bomb", "60000x60000 is too large"), ("torn", "damaged")):
            path = tmp_path / f"{state}.{kind}"
            with pytest.raises(MediaError, match=word) as caught:
                media.read_picture(path)
            assert "\n" not in str(caught.value)
            assert str(path) in str(caught.value)


def test_avif_of_10_bits(tmp_path):
    path = tmp_path / "a.avif"
    raw = np.repeat(np.linspace(0, 65535, 640).astype("<u2")[None, :, None], 64, 0)
    ffmpeg("-f", "rawvideo", "-pix_fmt", "rgb48le", "-s", "640x64", "-i", "pipe:0", "-vf",
           "scale=out_color_matrix=bt709:out_range=pc,setparams=colorspace=bt709:range=pc:"
           "color_primaries=bt709:color_trc=iec61966-2-1,format=yuv444p10le",
           "-c:v", "libaom-av1", "-cpu-used", 8, "-crf", 1, path,
           feed=np.repeat(raw, 3, 2).tobytes())  # fmt: skip
    frame = media.read_picture(path)
    assert len(frame[1].unique()) > 500
    assert (frame[1, 30] - torch.linspace(0, 1, 640)).abs().max() < 0.02


@pytest.mark.parametrize("orientation", [1, 6, 8])
def test_heic(tmp_path, orientation):
    pillow_heif = pytest.importorskip("pillow_heif", reason="an extra")
    path, values = tmp_path / "photo.jpg", (deep() >> 8).astype(np.uint8)  # of a wrong name
    smooth = cv2.GaussianBlur(values, (0, 0), 4)
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(smooth)).save(
        buffer, quality=95, exif=exif.tobytes(), chroma=444
    )
    path.write_bytes(buffer.getvalue())
    turned = {1: 0, 6: 3, 8: 1}[orientation]
    expected = np.rot90(smooth, turned).astype(np.float32).transpose(2, 0, 1) / 255
    got = media.read_picture(path)
    assert got.shape == expected.shape
    assert np.abs(got.numpy() - expected).max() < 0.05


def test_heic_without_its_reader_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99))
    with pytest.raises(MediaError, match=r"dreamvid\[heic\]"):
        media.read_picture(path)
