import numpy as np
import pytest
import torch

from dreamvid.errors import SettingsError
from dreamvid.frames import Size, checked, drawn, from_pixels, noise, quantised, resized, to_pixels
from dreamvid.sizes import parsed_size


@pytest.mark.parametrize("depth", [8, 16])
def test_pixels_come_back(picture, depth):
    pixels = to_pixels(picture, depth)
    assert pixels.shape == (60, 92, 3)
    assert pixels.dtype == (np.uint8 if depth == 8 else np.uint16)
    assert torch.equal(from_pixels(pixels), quantised(picture, depth))


def test_quantising_twice_is_quantising_once(picture):
    once = quantised(picture)
    assert torch.equal(quantised(once), once)


def test_a_frame_has_no_batch_axis(picture):
    with pytest.raises(TypeError, match="float32"):
        checked(picture[None])


@pytest.mark.parametrize(
    ("text", "size"),
    [("640", Size(360, 640)), ("64x48", Size(48, 64)), (" 64 X 47 ", Size(47, 64))],
)
def test_sizes(text, size):
    assert parsed_size(text, Size(720, 1280)) == size
    assert str(Size(48, 64)) == "64x48"


@pytest.mark.parametrize("text", ["0", "0x10", "10x0", "-5", "0x", "x", "", "1e3", "99999", "nan"])
def test_bad_sizes(text):
    with pytest.raises(SettingsError, match="640x360"):
        parsed_size(text, Size(720, 1280))


def test_resizing_puts_corners_on_corners(picture):
    larger = resized(picture, Size(119, 183))
    assert torch.equal(larger[:, 0, 0], picture[:, 0, 0])
    torch.testing.assert_close(larger[:, -1, -1], picture[:, -1, -1])
    torch.testing.assert_close(larger[:, ::2, ::2], picture[:, :, :], atol=2e-5, rtol=0)


def test_draws_depend_on_the_key_alone():
    assert drawn((1, 2, 3), -32, 32) == drawn((1, 2, 3), -32, 32)
    values = [drawn((0, index), -3, 3) for index in range(2000)]
    assert set(values) == set(range(-3, 4))
    assert abs(np.mean(values)) < 0.2


def test_noise_is_grey_and_falls_with_frequency():
    field = noise(Size(96, 128), (7,))
    assert torch.equal(field, noise(Size(96, 128), (7,)))
    assert not torch.equal(field, noise(Size(96, 128), (8,)))
    assert abs(field.mean().item() - 0.5) < 0.02
    power = torch.fft.rfft2(field - field.mean()).abs().pow(2).mean(0)
    assert power[1:4, 1:4].mean() > 30 * power[30:40, 30:40].mean()
