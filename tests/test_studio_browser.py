"""The studio in a real browser: a film from the dropped seed to the end of its playing."""

import json
import shutil
import time
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("uvicorn", reason="needs dreamvid[studio]")
pytest.importorskip("starlette", reason="needs dreamvid[studio]")

import browser as browsers
from studio_server import SMALL, Server, camera

ROOT = Path(__file__).parents[1]
SEED = ROOT / "samples" / "seed.jpg"
AXE = ROOT / ".venv" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
pytestmark = pytest.mark.skipif(browsers.found() is None, reason="no browser is installed")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    shutil.copy(SEED, folder / "seed.jpg")
    with Server(folder) as running:
        running.ask("GET", "/api/schema")
        yield running


@pytest.fixture(scope="module")
def page(server, tmp_path_factory):
    with browsers.Browser(tmp_path_factory.mktemp("browser")) as opened:
        opened.go(server.address)
        yield opened


def type_into(page, selector, text):
    """Type a text into a field, in place of what is there."""
    script = (
        "(() => { const e = document.querySelector(%s); e.focus(); e.value = %s;"
        "e.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )
    page.run(script % (json.dumps(selector), json.dumps(text)))


SKETCH = "document.querySelector('.stage figure:nth-child(2) img')?.dataset.now"


def design(page, server):
    """Open the page of a new film of the seed."""
    draft = {"command": "zoom", "source": "seed.jpg", "settings": SMALL}
    page.run(f"localStorage.setItem('dreamvid.draft', {json.dumps(json.dumps(draft))})")
    page.go(f"{server.address}?{time.monotonic_ns()}#/new")
    page.until("document.querySelector('#make')", 60)
    page.until("document.querySelector('.told pre').textContent.includes('--size 96x64')", 60)
    page.until(f"!document.querySelector('.pane.busy') && {SKETCH}", 60)


def set_all(page, settings):
    for name, text in settings.items():
        type_into(page, f"#set-{name.replace('.', '-')}", text)


def test_a_film_from_the_seed_to_its_end(page, server):
    page.until("document.querySelector('.drop input')")
    page.choose_files(".drop input", [SEED])
    page.until("location.hash === '#/new'")
    page.until("document.querySelector('#make')", 60)
    page.until(SKETCH, 60)
    page.click("[data-preset=gentle]")
    page.until("document.querySelector('[data-preset=gentle]').ariaPressed === 'true'")
    page.until("document.querySelector('.told pre').textContent.includes('--preset gentle')")
    set_all(page, SMALL)
    page.until("document.querySelector('.told pre').textContent.includes('--size 96x64')")
    page.until("!document.querySelector('.pane.busy')", 60)
    # A slider that is moved draws another sketch.
    before = page.run(SKETCH)
    slider = "[data-name='ascent.strength'] input[type=range]"
    page.run(f"document.querySelector({json.dumps(slider)}).focus()")
    began = time.monotonic()
    page.run(
        "(() => { const e = document.activeElement; e.value = '3';"
        "e.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )
    page.until(f"{SKETCH} !== {json.dumps(before)}", 60)
    print(f"the next sketch after {time.monotonic() - began:.2f} s")
    assert page.run("document.querySelector('[data-name=\"ascent.strength\"]').className") == (
        "setting changed"
    )
    # What is wrong stands beside its setting.
    type_into(page, "#set-octaves-count", "99")
    wrong = "document.querySelector('#set-octaves-count-error').textContent"
    page.until(f"{wrong}.includes('99')")
    type_into(page, "#set-octaves-count", "1")
    page.until(f"{wrong} === ''")
    type_into(page, "#set-film-frames", "12")
    page.until("document.querySelector('.told pre').textContent.includes('--frames 12')")
    # Slow enough to be watched: more steps.
    type_into(page, "#set-ascent-later", "60")
    page.click("#make")
    page.until("location.hash.startsWith('#/film/')")
    seen = set()
    until = time.monotonic() + 200
    while len(seen) < 3 and time.monotonic() < until:
        shown = page.run(
            "(() => { const e = document.querySelector('.screen img');"
            "return e && e.complete && e.naturalWidth ? e.dataset.frame : '' })()"
        )
        seen |= {shown} - {""}
        time.sleep(0.05)
    assert len(seen) >= 3, seen
    page.run("location.reload()")
    page.until("document.querySelector('.screen img')?.naturalWidth")
    name = page.run("location.hash.split('/')[2]")
    film = next(item["name"] for item in server.items().values() if item["id"] == name)
    assert server.items()[film]["state"] == "making"
    click_button(page, "Stop")
    stopped = server.until(film, lambda item: item["state"] == "stopped", 120)
    assert 0 < stopped["frames"] < 12
    click_button(page, "Resume")
    server.until(film, lambda item: item["state"] == "done", 400)
    page.until("document.querySelector('.screen video').readyState >= 2", 60)
    page.run("document.querySelector('.screen video').play()")
    page.until("document.querySelector('.screen video').ended")
    page.run("localStorage.removeItem('dreamvid.draft')")
    click_button(page, "Use its settings")
    page.until("document.querySelector('#make')")
    page.until("document.querySelector('.told pre').textContent.includes('--frames 12')")
    line = page.run("document.querySelector('.told pre').textContent")
    assert "--preset gentle" in line
    assert "--set ascent.later=60" in line


def click_button(page, text):
    """Click the button that says this."""
    find = (
        f"[...document.querySelectorAll('button')].find(e => e.textContent === {json.dumps(text)})"
    )
    page.until(f"{find}")
    page.run(f"{find}.id = 'wanted'")
    page.click("#wanted")
    page.run("document.querySelector('#wanted')?.removeAttribute('id')")


RATE = "JSON.parse(localStorage['dreamvid.draft']).settings['motion.zoom.rate']"
TWO = rf"{RATE}.match(/^0s: \(([\d.]+)\) smooth, ([\d.]+)s: \(([\d.]+)\)$/)?.slice(1).map(Number)"


def test_keys_are_dragged_added_eased_and_removed(page, server):
    design(page, server)
    page.until("document.querySelector('.timeline select option[value=\"motion.zoom.rate\"]')", 40)
    page.run(
        "(() => { const e = document.querySelector('.timeline select');"
        "e.value = 'motion.zoom.rate'; e.onchange(); })()"
    )
    page.until("document.querySelectorAll('.track .key').length === 2")
    line = "document.querySelector('.told pre').textContent"
    page.until(f"{line}.includes('motion.zoom.rate=0s')")
    first, last, value = page.run(TWO)
    page.drag(".track .key:last-of-type", -120, -40)
    page.until(f"{TWO}[1] < {last} - 0.5 && {TWO}[2] > {value}")
    began, moved, higher = page.run(TWO)
    assert began == first
    page.until(f"{line}.includes('({higher:g})')")
    assert page.run("document.querySelector('.edit .long').value") == f"{higher:g}"
    # The same from the keyboard.
    page.run("document.querySelector('.track .key').focus()")
    page.press("ArrowUp")
    page.until(f"{TWO}[0] > {first}")
    page.run("document.querySelector('.track .key:last-of-type').focus()")
    page.press("ArrowLeft")
    page.until(f"{TWO}[1] < {moved}")
    page.run(
        "(() => { const e = document.querySelector('.edit select');"
        "e.value = 'ease-out'; e.dispatchEvent(new Event('change')); })()"
    )
    page.until(f"{RATE}.endsWith('ease-out')")
    page.click_twice(".plot", 0.25, 0.5)
    page.until("document.querySelectorAll('.track .key').length === 3")
    page.until(f"{RATE}.split('), ').length === 3 || {RATE}.split(':').length === 4")
    page.press("Delete")
    page.until("document.querySelectorAll('.track .key').length === 2")
    page.until(f"{RATE}.split(':').length === 3")
    assert page.run("document.activeElement.className") == "key"


def test_waiting_films_are_put_in_order(page, server):
    shutil.copy(SEED, server.folder / "line.jpg")
    names = [server.begin("line.jpg", 5000, film__seed=str(number)) for number in range(4)]
    waits = "[...document.querySelectorAll('[data-waits]')].map(e => e.dataset.id)"
    same = f"JSON.stringify({waits}) === JSON.stringify(%s)"
    first, second, third = names[1:]
    try:
        page.run("location.hash = '#/'")
        page.until(same % json.dumps([first, second, third]))
        grip = f"[data-id='{third}'] .grip"
        width = page.run(
            f"document.querySelector('[data-id=\"{third}\"]').getBoundingClientRect().x -"
            f"document.querySelector('[data-id=\"{first}\"]').getBoundingClientRect().x"
        )
        page.drag(grip, -width, 0)
        page.until(same % json.dumps([third, first, second]))
        page.run(f"document.querySelector({json.dumps(grip)}).focus()")
        page.press("ArrowRight")
        page.until(same % json.dumps([first, third, second]))
        assert page.run("document.activeElement.className") == "plain grip"
        page.click(f"[data-id='{second}'] [data-act='earlier']")
        page.until(same % json.dumps([first, second, third]))
    finally:
        for name in reversed(names):
            server.ask("POST", f"/api/items/{name}/stop", {})


def test_a_live_dream_is_begun_controlled_and_ended(page, server):
    camera(server.folder / "camera.avi")
    kept = {"source": "camera.avi", "presets": ["gentle", "default"], "size": "96x64", "fps": "10"}
    page.run(f"localStorage.setItem('dreamvid.live', {json.dumps(json.dumps(kept))})")
    page.run("location.hash = '#/live'")
    page.until("document.querySelector('[data-name=gentle][aria-pressed=true]')", 60)
    page.until("document.querySelector('#live-source').value === 'camera.avi'")
    page.click("#live-start")
    page.until("document.querySelector('.badge').textContent === 'live'", 60)
    page.until("document.querySelector('.live-screen img').naturalWidth === 96")
    seen = set()
    until = time.monotonic() + 30
    while len(seen) < 3 and time.monotonic() < until:
        seen.add(page.run(SHOWN))
    assert len(seen) >= 3
    pressed = "document.querySelector('[data-word=%s]').ariaPressed === '%s'"
    page.click("[data-word=freeze]")
    page.until(pressed % ("freeze", "true"))
    held = page.run(SHOWN)
    page.until("document.querySelector('.facts').textContent.includes('frames a second')")
    assert page.run(SHOWN) == held
    page.run("document.activeElement.blur()")
    page.press(" ", "Space")
    page.until(pressed % ("freeze", "false"))
    page.run(
        "(() => { const e = document.querySelector('#live-strength'); e.value = '2.5';"
        "e.dispatchEvent(new Event('input')); })()"
    )
    page.click("[data-word=next]")
    page.until("document.querySelector('[data-preset=default]').ariaPressed === 'true'")
    told = server.ask("GET", "/api/live")
    assert (told["strength"], told["preset"], told["state"]) == (2.5, "default", "running")
    page.run("location.reload()")
    page.until("document.querySelector('.live-screen img')?.naturalWidth === 96")
    click_button(page, "Stop")
    page.until("document.querySelector('.badge').textContent === 'off'")
    page.until("!document.querySelector('#live-start').closest('form').hidden")


SHOWN = """
(() => { const e = document.querySelector('.live-screen img'), c = document.createElement('canvas');
  c.width = 32; c.height = 20; const d = c.getContext('2d'); d.drawImage(e, 0, 0, 32, 20);
  return c.toDataURL(); })()
"""


def test_the_centre_is_set_by_clicking(page, server):
    design(page, server)
    click_button(page, "Set the centre")
    page.until("!document.querySelector('.cross').hidden")
    page.click(".stage .pane img")
    page.until(
        "JSON.parse(localStorage['dreamvid.draft']).settings['motion.zoom.centre'] === '[0.5, 0.5]'"
    )
    page.run("document.querySelector('.cross').focus()")
    page.press("ArrowRight")
    page.until(
        "JSON.parse(localStorage['dreamvid.draft']).settings['motion.zoom.centre']"
        " === '[0.51, 0.5]'"
    )


def test_a_mask_is_painted(page, server):
    design(page, server)
    click_button(page, "Paint a mask")
    page.until("document.querySelector('.pane canvas')")
    page.drag(".pane canvas", 60, 30)
    click_button(page, "Use this mask")
    page.until("JSON.parse(localStorage['dreamvid.draft']).settings['video.mask']")
    name = page.run("JSON.parse(localStorage['dreamvid.draft']).settings['video.mask']")
    with Image.open(server.folder / name) as mask:
        grey = mask.convert("L")
        assert grey.getextrema() == (0, 255)
        assert grey.getpixel((2, 2)) == 255
        assert grey.getpixel((mask.width // 2 + 8, mask.height // 2 + 4)) == 0
    page.run("document.querySelector('[data-name=\"video.mask\"] [aria-label^=Reset]').click()")


NAMELESS = """
[...document.querySelectorAll('button, a, input, select, [role=img]')]
  .filter(e => e.offsetParent !== null)
  .filter(e => !(e.ariaLabel || e.labels?.length || e.textContent.trim() || e.title))
  .map(e => e.outerHTML.slice(0, 120))
"""
PALE = """
(() => {
  const light = c => { const [r, g, b] = c.map(v => { v /= 255;
    return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
    return .2126 * r + .7152 * g + .0722 * b; };
  const read = text => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const behind = e => { for (; e; e = e.parentElement) {
    const c = read(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] === 1) return c.slice(0, 3); } return [15, 14, 19]; };
  return [...document.querySelectorAll('body *')].filter(e => e.offsetParent !== null && !e.disabled
      && [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()))
    .map(e => { const [a, b] = [light(read(getComputedStyle(e).color)), light(behind(e))];
      return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), e.outerHTML.slice(0, 120)]; })
    .filter(([ratio]) => ratio < 4.5);
})()
"""
SERIOUS = """
axe.run(document, {resultTypes: ['violations']}).then(found => found.violations
  .filter(each => ['serious', 'critical'].includes(each.impact))
  .map(each => each.id + ': ' + each.nodes.map(n => n.html.slice(0, 140)).join(' | ')))
"""


def views(server):
    found = [item["id"] for item in server.items().values() if item["kind"] == "film"]
    film = found[0] if found else "none"
    return ("#/", "#/new", "#/live", f"#/film/{film}", "#/compare", "#/trash")


def settle(page, view):
    page.run(f"location.hash = {json.dumps(view)}")
    page.until("document.querySelector('h1')")
    if view == "#/new":
        page.until("document.querySelector('#make')")
    time.sleep(0.2)


def test_everything_has_a_name_and_can_be_read(page, server):
    for view in views(server):
        settle(page, view)
        assert page.run(NAMELESS) == [], view
        assert page.run(PALE) == [], view


def test_the_tab_key_goes_through_the_page_in_order(page, server):
    design(page, server)
    seen = []
    for _ in range(12):
        page.press("Tab")
        seen.append(page.run("document.activeElement.textContent.trim().slice(0, 20)"))
        assert page.run("getComputedStyle(document.activeElement).outlineStyle") != "none"
    found = [
        text
        for text in seen
        if text in ("Gallery", "New", "Live", "Compare", "Trash", "Zoom", "Loop")
    ]
    assert found == ["Gallery", "New", "Live", "Compare", "Trash", "Zoom", "Loop"]
    assert page.run("[...document.querySelectorAll('[tabindex]')].every(e => e.tabIndex <= 0)")


def test_axe_finds_nothing_serious(page, server):
    if not AXE.exists():
        pytest.skip("axe-core is not here: npm install --prefix .venv/axe axe-core")
    for view in views(server):
        settle(page, view)
        page.run(AXE.read_text("utf-8") + "; 1")
        assert page.run(SERIOUS) == [], view


def test_a_phone_shows_it_all(page, server):
    page.size(390, 844, 2)
    try:
        for view in views(server):
            settle(page, view)
            wide = page.run("document.documentElement.scrollWidth")
            assert wide <= 390, (view, wide)
    finally:
        page.size(1280, 800)


def test_nothing_went_elsewhere_and_nothing_went_wrong(page, server):
    hosts = {address.split("/")[2] for address in page.requests if address.startswith("http")}
    assert hosts == {server.host}
    assert page.complaints == []
