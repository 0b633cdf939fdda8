import os

import pytest
import torch
from conftest import run_cli

import dreamvid
from dreamvid import media
from dreamvid.errors import NetworkError, SettingsError
from dreamvid.frames import Size, covered, quantised
from dreamvid.studies.axes import channels_in
from dreamvid.studies.contact import GAP, LINE, Cell, Row, contact_sheet

SIZE = "96x64"
ONE = {"machine": {"threads": 1}}


@pytest.fixture
def seed(tmp_path, picture):
    path = tmp_path / "seed.png"
    media.write_picture(covered(picture, Size(64, 96)), path)
    return path


def cell(sheet, row, column, titles=0):
    """The picture at a place of a sheet with a title, headings and titles above its rows."""
    top = GAP + 2 * LINE + row * (64 + GAP) + (row + 1) * LINE * titles
    left = GAP + column * (96 + GAP)
    return sheet[:, top : top + 64, left : left + 96]


def test_a_contact_sheet_keeps_its_pictures():
    pictures = [quantised(torch.rand(3, 40, 64)) for _ in range(3)]
    rows = [Row([Cell(pictures[0]), Cell(pictures[1])], "one"), Row([Cell(pictures[2])], "two")]
    sheet = contact_sheet(rows, ["left", "right"], "a title")
    assert sheet.shape[2] == 2 * (64 + GAP) + GAP
    top = GAP + 3 * LINE
    assert torch.equal(sheet[:, top : top + 40, GAP : GAP + 64], pictures[0])
    assert torch.equal(sheet[:, top : top + 40, 2 * GAP + 64 : -GAP], pictures[1])
    below = top + 40 + GAP + LINE
    assert torch.equal(sheet[:, below : below + 40, GAP : GAP + 64], pictures[2])
    assert (sheet[:, :top].amin() < 0.2).item()


def test_cells_are_what_the_image_command_makes(seed, tmp_path):
    told = run_cli(
        "sheet", seed, "--size", SIZE, "--layer", "3a", "--layer", "4c:3=2", "--octaves", 1,
        "--iterations", "2,4", "--set", "machine.threads=1", "-o", tmp_path / "s.png", "--quiet",
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert told.stdout == f"{tmp_path / 's.png'}\n"
    sheet = media.read_picture(tmp_path / "s.png")
    assert sheet.shape[2] == 2 * (96 + GAP) + GAP
    for row, layer in enumerate(["3a", "4c:3=2"]):
        for column, number in enumerate([2, 4]):
            alone = dreamvid.image(
                seed, tmp_path / "one.png", layer=[layer], octaves=1, iterations=number,
                settings=ONE, overwrite=True,
            )  # fmt: skip
            assert torch.equal(cell(sheet, row, column, titles=1), media.read_picture(alone))


def test_stages_are_of_one_dream(seed, tmp_path):
    out = dreamvid.sheet(
        seed, tmp_path / "s.png", across={"steps": "0,3,6"}, layer=["4a"], size=SIZE, octaves=2,
        iterations=3, settings=ONE,
    )  # fmt: skip
    sheet = media.read_picture(out)
    assert torch.equal(cell(sheet, 0, 0, titles=1), media.read_picture(seed))
    dream = dreamvid.image(
        seed, tmp_path / "one.png", layer=["4a"], octaves=2, iterations=3, settings=ONE
    )
    assert torch.equal(cell(sheet, 0, 2, titles=1), media.read_picture(dream))
    with pytest.raises(SettingsError, match="has 6 steps in all"):
        dreamvid.sheet(
            seed, tmp_path / "t.png", across={"steps": "7"}, layer=["4a"], octaves=2, iterations=3
        )
    assert not (tmp_path / "t.png").exists()


def test_presets_without_weights_are_named_and_left_out(seed, tmp_path):
    told = run_cli(
        "sheet", seed, "--size", SIZE, "--presets", "default,google-2015", "--octaves", 2,
        "--iterations", 1, "--set", "machine.threads=1", "-o", "s.jpg",
        cwd=tmp_path, env={**os.environ, "TORCH_HOME": str(tmp_path)},
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert "google-2015: left out: googlenet: no weights" in told.stderr
    # The picture and one dream.
    assert media.read_picture(tmp_path / "s.jpg").shape[2] == 2 * (96 + GAP) + GAP
    alone = run_cli(
        "sheet", seed, "--presets", "google-2015", "--quiet", "-o", "t.jpg",
        cwd=tmp_path, env={**os.environ, "TORCH_HOME": str(tmp_path)},
    )  # fmt: skip
    assert alone.returncode == 2
    assert len(alone.stderr.splitlines()) == 1
    assert not (tmp_path / "t.jpg").exists()


def test_dead_channels_are_named(seed, tmp_path, monkeypatch):
    from dreamvid.networks import pocket

    plain = pocket.Pocket.activations

    def deaf(self, inputs):
        for name, activation in plain(self, inputs):
            if name == "4c":
                activation = activation.clone()
                activation[:, [1, 3]] = 0
            yield name, activation

    monkeypatch.setattr(pocket.Pocket, "activations", deaf)
    said = []

    class Teller:
        def begin(self, done, total):
            said.append(total)

        def say(self, text):
            said.append(text)

        def frame(self, index, notes):
            pass

    from dreamvid.settings import flagged
    from dreamvid.studies import sheets

    flags = flagged({"layer": ["4c"], "octaves": 2, "iterations": 1, "size": SIZE})
    asked = sheets.Asked(flags=flags, assigned=ONE, across={"channels": "0:4"})
    sheets.sheet(seed, tmp_path / "s.png", asked, progress=Teller())
    assert said[-1] == 2
    assert "2 of 4 channels are dead" in said[0]
    assert said[0].endswith(": 1, 3")
    silent = sheets.Asked(flags=flags, assigned=ONE, across={"channels": "1,3"})
    with pytest.raises(NetworkError, match="sees anything"):
        sheets.sheet(seed, tmp_path / "t.png", silent)


def test_channels():
    assert channels_in("2:5", 64) == [2, 3, 4]
    assert channels_in("60:99,3", 64) == [60, 61, 62, 63, 3]
    assert channels_in("all", 3) == [0, 1, 2]
    for text in ("", "x", "5:5", "64", "1:2:3"):
        with pytest.raises(SettingsError, match="--channels"):
            channels_in(text, 64)


def test_axes_that_do_not_go_together(seed, tmp_path):
    for across, words in (
        ({"channels": "0:4", "presets": "default"}, "channels and presets"),
        ({"octaves": "1,2", "steps": "0,1"}, "octaves and steps"),
        ({"iterations": "1,x"}, "--iterations"),
        ({"presets": "defualt"}, "did you mean 'default'"),
    ):
        with pytest.raises(SettingsError, match=words):
            dreamvid.sheet(seed, tmp_path / "s.png", across=across)
    assert not (tmp_path / "s.png").exists()
