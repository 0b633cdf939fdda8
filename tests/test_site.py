"""The site: all there is appears in its reference; its pages, pictures and links are whole."""

import importlib.util
import re
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image

from dreamvid.cli.app import app
from dreamvid.cli.listing import REGISTRIES, setting_names
from dreamvid.flags import COMMANDS, flags_of
from dreamvid.settings import presets

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
sys.path.append(str(DOCS))
from making import diagrams, links, looks, reference, running  # noqa: E402

LOOKS = (*reference.LOOKS.values(), looks.SETTINGS, looks.PRESETS)
MOST = 6_000_000
"""Bytes of all pictures that the site keeps."""


@pytest.fixture(scope="module")
def pages():
    """The reference as it is written, without its pictures being made."""
    mended = pytest.MonkeyPatch()
    shown = running.Shown(running.PICTURES / "none.webp", 0.0)
    mended.setattr(running, "shown", lambda *_: shown)
    found = reference.pages()
    mended.undo()
    return found


def headings(text):
    return {line.lstrip("# ") for line in text.splitlines() if line.startswith("#")}


def test_every_entry_of_every_registry_stands_in_the_reference(pages):
    counted = 0
    for name, registry in REGISTRIES.items():
        assert set(registry.names()) <= headings(pages[name]), name
        for entry in registry.names():
            for option in registry.options(entry):
                assert reference.plain(option) in pages[name], (entry, option)
                counted += 1
        counted += len(registry.names())
    assert set(setting_names()) <= headings(pages["settings"])
    assert set(presets.names()) <= headings(pages["presets"])
    assert set(COMMANDS) <= headings(pages["commands"])
    assert counted > 100


def test_every_flag_of_every_command_stands_there_with_its_help(pages):
    for command in COMMANDS:
        part = re.split(rf"^## {command}$", pages["commands"], flags=re.MULTILINE)[1]
        part = part.partition("\n## ")[0]
        for name, flag in flags_of(command).items():
            for spelling in flag.names or (f"--{name.replace('_', '-')}",):
                assert spelling in part, (command, spelling)
            assert reference.cell(flag.help)[:40] in part


def test_every_page_is_found_by_itself(pages):
    index = (DOCS / "index.md").read_text("utf-8")
    assert "\n*\n" in index, "pages that come later are listed by this line"
    assert set(pages) - {"index"} == set(
        re.findall(r"^(\w+)$", pages["index"].partition("{toctree}")[2], re.MULTILINE)
    )
    assert not list(DOCS.glob("*/*.md")) or {each.parent.name for each in DOCS.glob("*/*.md")} == {
        "reference"
    }


def dreams():
    """The commands of every {dream} of every page, with its kind."""
    for page in sorted(DOCS.glob("*.md")):
        for body in re.findall(r"^```\{dream\}\n(.*?)^```", page.read_text("utf-8"), re.M | re.S):
            lines = [line for line in body.splitlines() if line.strip()]
            options = [line for line in lines if line.startswith(":")]
            kind = next((o.split()[1] for o in options if o.startswith(":as:")), "picture")
            yield page.name, [line for line in lines if not line.startswith(":")], kind


def test_what_pages_show_is_kept_and_nothing_else_is():
    known = running.index()
    for page, lines, kind in dreams():
        name = running.fingerprint(lines, kind, running.SIDE)
        assert name in known, f"{page}: build the site, then commit docs/pictures: {lines}"
    for look in (look for kind in LOOKS for look in kind.values()):
        name = running.fingerprint(look.commands, "beside", running.SMALL)
        assert name in known, f"build the site, then commit docs/pictures: {look.commands}"
    files = {path.stem for path in running.PICTURES.glob("*.webp")}
    assert files == set(known)
    assert sum(path.stat().st_size for path in running.PICTURES.iterdir()) <= MOST


def test_a_fingerprint_is_of_the_command_its_inputs_and_its_kind():
    line = "dreamvid image seed.jpg"
    of = running.fingerprint
    assert of([line], "picture", 256) == of([line], "picture", 256)
    others = [
        ([f"{line} -o a.png"], "picture", 256),
        ([line], "strip", 256),
        ([line], "picture", 9),
    ]
    assert len({of([line], "picture", 256), *(of(*each) for each in others)}) == 4


def test_a_fingerprint_is_of_the_presets_that_a_command_starts_from(monkeypatch):
    lines = (
        "image seed.jpg",
        "image seed.jpg --of castle",
        "video clip.mp4",
        "zoom a --preset deep",
    )
    before = [running.fingerprint([f"dreamvid {line}"], "picture", 64) for line in lines]
    load = presets.load

    def changed(*names):
        monkeypatch.setattr(presets, "load", lambda name: {**load(name), "new": name in names})
        after = [running.fingerprint([f"dreamvid {line}"], "picture", 64) for line in lines]
        monkeypatch.setattr(presets, "load", lambda name: {**load(name), "new": False})
        still = [running.fingerprint([f"dreamvid {line}"], "picture", 64) for line in lines]
        assert not set(after) & set(before)
        return [a != s for a, s in zip(after, still, strict=True)]

    assert changed("words") == [False, True, False, False]
    assert changed("video") == [False, False, True, False]
    assert changed("deep") == [False, False, False, True]
    assert changed("default") == [True, True, False, True]


def test_a_kept_picture_is_what_the_program_still_makes(tmp_path):
    """Pictures of a program that dreams otherwise by now would not be noticed else."""
    line = "dreamvid image seed.jpg -o dream.png"
    kept = running.PICTURES / f"{running.fingerprint([line], 'picture', running.SIDE)}.webp"
    (made,), _ = running._run([line], "picture", running.SIDE)
    running._write([made], "picture", tmp_path / "now.webp")
    begun, now, then = (
        np.asarray(Image.open(path).convert("RGB").resize(made.size), float)
        for path in (ROOT / "samples" / "seed.jpg", tmp_path / "now.webp", kept)
    )
    changed = np.abs(now - begun).mean()
    assert changed > 5
    # Other processors differ in last bits, and a dream makes them visible.
    assert np.abs(now - then).mean() < changed / 3


def test_each_number_is_shown_low_middle_and_high():
    for kind in LOOKS:
        for name, look in kind.items():
            assert 1 <= len(look.commands) == len(look.labels) == len(set(look.commands)), name
    assert set(looks.SETTINGS) <= set(setting_names())
    assert set(looks.MOTIONS) == set(REGISTRIES["motions"].names())
    assert set(looks.SPACES) == set(REGISTRIES["spaces"].names())
    assert set(looks.CARRIES) == set(REGISTRIES["carries"].names())
    assert {*looks.PRESETS, *looks.UNSHOWN} == set(presets.names())
    shown = {line for look in looks.MOTIONS.values() for line in look.commands}
    assert len(shown) == sum(len(look.commands) for look in looks.MOTIONS.values())


def test_a_command_that_fails_fails_the_page(tmp_path, monkeypatch):
    monkeypatch.setattr(running, "PICTURES", tmp_path)
    monkeypatch.setattr(running, "INDEX", tmp_path / "index.json")
    with pytest.raises(running.Failed, match="no preset 'gentel'; did you mean 'gentle'"):
        running.shown(["dreamvid image seed.jpg --preset gentel"], "picture", 64)
    assert not list(tmp_path.iterdir())


def test_a_command_is_run_once(tmp_path, monkeypatch):
    monkeypatch.setattr(running, "PICTURES", tmp_path)
    monkeypatch.setattr(running, "INDEX", tmp_path / "index.json")
    lines = ["dreamvid zoom seed.jpg --frames 3 --octaves 1 --iterations 1"]
    first = running.shown(lines, "strip", 64)
    assert first.path.stat().st_size
    monkeypatch.setattr(running, "_run", None)
    assert running.shown(lines, "strip", 64) == first


def test_drawings_are_those_of_the_code():
    for name, svg in diagrams.drawings():
        assert (DOCS / "diagrams" / f"{name}.svg").read_text("utf-8") == svg


def test_links_between_files_lead_somewhere(pages):
    for page in [*DOCS.glob("*.md"), *ROOT.glob("*.md"), *ROOT.glob("*/*/README.md")]:
        text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S)
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
            if target.startswith("reference/"):
                assert target.removeprefix("reference/").removesuffix(".md") in pages
            elif not target.startswith(("http:", "https:")):
                assert (page.parent / target).exists(), f"{page.name}: {target}"
    for name, text in pages.items():
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
            if "pictures" not in target and not target.startswith("http"):
                own = target.removesuffix(".md") in pages
                assert own or (DOCS / "reference" / target).resolve().exists(), f"{name}: {target}"


def test_links_of_a_site_are_followed(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.png").touch()
    (tmp_path / "sub" / "b.html").write_text('<p id="here"><a href="../index.html#no">x</a></p>')
    (tmp_path / "index.html").write_text(
        '<a href="sub/b.html#here"></a><a href="#"></a><a href="sub/b.html#gone"></a>'
        '<img src="a.png"><img src="b%20c.png"><a href="https://a.org/x?y=1#z"></a>'
        '<a href="http://a.org"></a><a href="https://host"></a><a href="mailto:a@b.org"></a>'
        '<a href="https://a.org/{x}"></a>'
    )
    told = list(links.faults(tmp_path))
    assert [line.rpartition(": ")[2] for line in told] == [
        "sub/b.html#gone", "b%20c.png", "http://a.org", "https://host", "https://a.org/{x}",
        "../index.html#no",
    ]  # fmt: skip
    assert "https://a.org/x?y=1#z" in (tmp_path / links.LIST).read_text().splitlines()


def test_every_command_of_the_program_and_every_extra_is_told_of(pages):
    root = typer.main.get_command(app)
    found = {
        f"{name} {sub}".strip()
        for name, command in root.commands.items()
        for sub in getattr(command, "commands", {"": None})
    }
    assert found == set(COMMANDS)
    assert {"turbo", "live", "studio", "depth", "plan zoom", "work", "farm"} <= found
    written = "".join(page.read_text("utf-8") for page in [ROOT / "README.md", *DOCS.glob("*.md")])
    for command in COMMANDS:
        assert f"dreamvid {command}" in written, command
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for extra in project["optional-dependencies"]:
        assert re.search(rf"\[(\w+,)*{extra}(,\w+)*\]", written), f"no page tells of [{extra}]"


def test_errors_that_are_explained_are_raised():
    """Each error in bold on the page stands in the source, but for the names in capitals."""
    source = "".join(path.read_text("utf-8") for path in (ROOT / "dreamvid").rglob("*.py"))
    source = re.sub(r'"\s*\n\s*f?"', "", source)
    text = (DOCS / "troubleshooting.md").read_text("utf-8")
    quoted = [
        q for bold in re.findall(r"\*\*(.*?)\*\*", text) for q in re.findall(r"`(.*?)`", bold)
    ]
    assert len(quoted) > 5
    for quote in quoted:
        if quote.startswith(("libGL", "frames", "No such")):
            continue
        for part in re.split(r"[A-Z]{4,}|…|'\w+'", quote):
            assert part.strip(" ;:`") in source, quote


@pytest.mark.long
@pytest.mark.skipif(not importlib.util.find_spec("sphinx"), reason="needs the extra docs")
def test_the_site_builds_without_a_warning(tmp_path):
    from sphinx.cmd.build import build_main

    assert build_main(["-W", "--keep-going", "-q", "-c", str(DOCS), str(ROOT), str(tmp_path)]) == 0
    assert (tmp_path / "docs" / "index.html").stat().st_size
