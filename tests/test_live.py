"""Dreaming in real time: a film as camera, a dummy sink, loopback OSC, a page read by a client."""

import json
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from conftest import call_cli

from dreamvid.errors import MediaError, SettingsError
from dreamvid.film.carries import Situation, carry_for
from dreamvid.film.sources import Moment
from dreamvid.frames import covered, from_pixels, to_pixels
from dreamvid.live import running, sharing
from dreamvid.live.ahead import Ahead
from dreamvid.live.budget import Budget, Level, ladder
from dreamvid.live.capture import Ended, Newest, Opened, opened
from dreamvid.live.control import MOST, Post, Tempo
from dreamvid.live.dreaming import LiveDream
from dreamvid.live.ears import WINDOW, Ears, Loudness
from dreamvid.live.following import between, looked_at, looked_at_pixels, shrunk, widened
from dreamvid.live.midi import Midi
from dreamvid.live.osc import OscServer, message, messages
from dreamvid.live.outputs import Ndi, Nowhere, VirtualCamera, Window
from dreamvid.live.page import Page
from dreamvid.live.sharing import Spout, Syphon
from dreamvid.motion.optical_flow import Correspondence
from dreamvid.settings import Settings
from dreamvid.sizes import Size

SIZE = Size(48, 64)
QUICK = Settings().changed("octaves", count=1).changed("ascent", iterations=1, later=1)
FRAMES = 12


def drawn(number, flash=-1):
    """A picture (48, 64, 3) of moving stripes, white all over at the flash."""
    if number == flash:
        return np.full((48, 64, 3), 250, np.uint8)
    columns = np.arange(64) + 2 * number
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:, :, 0] = 40 + 40 * (columns // 8 % 2)
    picture[:24, :, 1] = 90
    return picture


def shown(show, pixels):
    """What a live dream shows for captured pixels."""
    return show.begin(show.dream.ready(pixels))()


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("live") / "camera.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for number in range(FRAMES):
        writer.write(drawn(number, flash=6)[:, :, ::-1])
    writer.release()
    return path


def asked(film, **more):
    return running.Asked(str(film), QUICK, SIZE, 0.0, every=True, **more)


def test_the_newest_picture_wins():
    wanted = iter(range(6))
    ready = []

    def grab():
        number = next(wanted, None)
        ready.append(number)
        return None if number is None else np.full((2, 3, 3), number, np.uint8)

    with Newest(Opened("it", grab, lambda: None, why="ends")) as newest:
        while None not in ready:
            time.sleep(0.005)
        assert newest.take().pixels[0, 0, 0] == 5
        with pytest.raises(Ended, match="it ends"):
            newest.take()
    assert newest.captured == 6


def test_where_every_picture_counts_none_is_missed(film):
    with Newest(opened(str(film)), every=True) as newest:
        numbers = [newest.take().number for _ in range(FRAMES)]
        with pytest.raises(Ended, match="at its end"):
            newest.take()
    assert numbers == list(range(FRAMES))


def test_a_film_plays_at_its_own_pace(film):
    began = time.monotonic()
    with Newest(opened(str(film))) as newest:
        while newest.take().number < FRAMES - 1:
            assert newest.captured <= FRAMES
    assert time.monotonic() - began > (FRAMES - 2) / 25


def test_a_camera_that_is_unplugged_ends_in_one_line():
    def grab():
        raise OSError("device is gone\nmore")

    gone = pytest.raises(Ended, match=r"camera 0 failed \(device is gone\)")
    with Newest(Opened("camera 0", grab, lambda: None)) as newest, gone:
        newest.take()
    hangs, none = Opened("camera 0", lambda: time.sleep(0.3), lambda: None), "gives no pictures"
    with Newest(hangs) as newest, pytest.raises(Ended, match=none):
        newest.take(0.05)


def test_sources_that_are_none_are_refused(tmp_path):
    for source, told in (("97", "camera 97"), ("nothing.mp4", "no such film")):
        with pytest.raises(MediaError, match=told):
            opened(source)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"nothing")
    with pytest.raises(MediaError, match="not a film"):
        opened(str(broken))


def test_a_flash_comes_out_at_once(film):
    seen = []
    told = running.live(asked(film), [Nowhere(lambda p: seen.append(p.mean()))], [], Post())
    assert told.frames == told.captured == len(seen) == FRAMES
    assert "at its end" in told.why
    assert int(np.argmax(seen)) - 6 in range(3)
    assert seen[6] > 200 > 1.5 * seen[8]


def test_memory_stays_flat_over_many_frames():
    import resource

    dream = LiveDream(QUICK, SIZE, 0)
    pictures = [
        torch.from_numpy(drawn(n).transpose(2, 0, 1).copy()).float() / 255 for n in range(8)
    ]
    peaks = []
    for number in range(40):
        dream(pictures[number % 8])
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    assert peaks[-1] - peaks[12] < 8000


@pytest.mark.parametrize("size", [1.0, 0.5])
def test_a_smaller_dream_keeps_the_picture_sharp(size):
    dream = LiveDream(QUICK, Size(96, 128), 10)
    dream.budget.levels = [Level(1, 1, size)]
    picture = torch.rand(3, 96, 128)
    made = dream(picture)
    assert made.shape == picture.shape
    assert 0.2 / 255 < (made - picture).abs().mean() < 0.05


def test_no_level_is_too_small_for_its_network():
    dream = LiveDream(Settings().changed("octaves", count=2), SIZE, 10)
    picture = torch.rand(3, *SIZE)
    assert len(dream.budget.levels) > 1
    for place in range(len(dream.budget.levels)):
        dream.budget.place = place
        assert dream(picture).shape == picture.shape


def test_the_ladder_goes_down_step_by_step():
    steps = ladder(3, 3)
    assert steps[0] == Level(3, 3, 1.0)
    assert steps[-1] == Level(1, 1, 0.375)
    for above, below in pairwise(steps):
        assert all(a >= b for a, b in zip(above, below, strict=True))
        assert above != below
    assert ladder(1, 1)[0] == Level(1, 1, 1.0)


def test_a_budget_goes_down_to_hold_the_rate_and_up_again():
    budget = Budget(ladder(2, 3), 10)
    costs = [0.2, 0.15, 0.09, 0.08, 0.07, 0.06, 0.05]
    for _ in range(40):
        budget.took(costs[budget.place])
    assert budget.place == 3
    # One that takes five times too long goes down at once to where it should fit.
    heavy = Budget(ladder(1, 3), 10)
    assert [heavy.took(0.5) for _ in range(5)] == [False] * 4 + [True]
    assert heavy.level == Level(1, 2, 0.375)
    for _ in range(400):
        budget.took(0.2 * costs[budget.place])
    assert budget.place == 0
    free = Budget(ladder(2, 3), 0)
    assert not any(free.took(9.0) for _ in range(50))


def test_another_preset_comes_up_slowly():
    dream = LiveDream(QUICK, SIZE, 0, fade=4)
    picture = torch.from_numpy(drawn(0).transpose(2, 0, 1).copy()).float() / 255
    dream(picture)
    dream.change(QUICK.changed("network", layers=("3b",)))
    far = []
    for _ in range(5):
        dream.forget()
        far.append((dream(picture) - picture).abs().mean().item())
    assert far[0] < 0.5 * far[3]
    assert far[3] == pytest.approx(far[4], rel=0.2)


def test_control_words_do_what_they_say(film):
    said = []
    post = Post()
    show = running.Show(asked(film, presets={"gentle": lambda: QUICK}), post, said.append)
    first = shown(show, drawn(0))
    post("freeze")
    assert np.array_equal(shown(show, drawn(3)), first)
    post("freeze")
    post("panic")
    assert np.array_equal(shown(show, drawn(3)), drawn(3))
    post("panic", False)
    assert np.array_equal(shown(show, drawn(4)), drawn(4))
    post("panic")
    post("strength", 0.0)
    assert np.array_equal(shown(show, drawn(5)), drawn(5))
    post("strength", 2.0)
    post("next")
    shown(show, drawn(6))
    assert (show.dream.strength, said) == (2.0, ["preset gentle"])
    post("ascent/step_size", 3.0)
    shown(show, drawn(7))
    assert show.dream.settings.ascent.step_size == 3
    post("quit")
    shown(show, drawn(8))
    assert show.ended


@pytest.mark.parametrize(
    ("word", "value", "told"),
    [
        ("strength", 99.0, "expected 0 to 8"),
        ("strength", "much", "expected 0 to 8"),
        ("heard", 1.5, "expected 0 to 1"),
        ("ascent/step_size", 1e9, "step_size"),
        ("ascent/nothing", 1, "no such setting"),
        ("network/layers", "9z", "no layer"),
        ("machine/device", "cuda", "not known"),
        ("preset", "none", "no presets"),
        ("carry/name", "none such", "carry"),
    ],
)
def test_a_control_out_of_range_is_told_and_the_dream_goes_on(film, word, value, told):
    said, post = [], Post()
    show = running.Show(asked(film), post, said.append)
    before = shown(show, drawn(0))
    post(word, value)
    assert shown(show, drawn(1)).shape == before.shape
    assert len(said) == 1
    assert told in said[0]
    assert "\n" not in said[0]
    assert show.dream.settings == LiveDream(QUICK, SIZE, 0).settings


def test_a_tapped_tempo_pulses():
    now = [0.0]
    tempo = Tempo(lambda: now[0])
    assert tempo.strength() == 1
    for now[0] in (1.0, 1.5, 2.0):
        tempo.tap()
    assert tempo.seconds == 0.5
    at_beat = tempo.strength()
    now[0] = 2.4
    assert at_beat > 1.5 > 1 > tempo.strength() > 0
    now[0] = 2.5
    assert tempo.strength() == pytest.approx(at_beat)
    tempo.forget()
    assert tempo.strength() == 1


def test_osc_is_read_as_it_is_written():
    packet = message("/dreamvid/ascent/step_size", 1.5, 7, "words", True, False)
    assert list(messages(packet)) == [
        ("/dreamvid/ascent/step_size", [1.5, 7, "words", True, False])
    ]
    one, other = message("/a", 1), message("/b", "x")
    bundle = b"#bundle\0" + b"\0" * 8
    for each in (one, other):
        bundle += len(each).to_bytes(4, "big") + each
    assert [address for address, _ in messages(bundle)] == ["/a", "/b"]
    for cut in range(len(packet)):
        try:
            list(messages(packet[:cut]))
        except ValueError:
            continue


def test_an_osc_flood_goes_by_and_the_newest_value_counts():
    post = Post()
    with OscServer(0, post) as server, socket.socket(type=socket.SOCK_DGRAM) as sender:
        began = time.monotonic()
        for number in range(3000):
            sender.sendto(message("/dreamvid/strength", number / 1000), ("127.0.0.1", server.port))
            sender.sendto(b"\xff" * (number % 40), ("127.0.0.1", server.port))
        seconds = time.monotonic() - began
        for _ in range(100):
            sender.sendto(message("/dreamvid/strength", 5.0), ("127.0.0.1", server.port))
            time.sleep(0.01)
            if (taken := post.take()).get("strength") == 5.0:
                break
        assert taken == {"strength": 5.0}
        with pytest.raises(SettingsError, match="choose another"):
            OscServer(server.port, post)
    assert seconds < 10


def test_a_flood_of_other_words_is_dropped():
    post = Post()
    for number in range(10 * MOST):
        post(f"word{number}")
    assert len(post.take()) == MOST


def test_knobs_are_learned_and_kept(tmp_path):
    class Turned:
        type, channel, control, value = "control_change", 0, 21, 127

    post = Post()
    midi = Midi(tmp_path / "midi.toml", post)
    midi.heard(Turned)
    assert not post.take()
    midi.learn("strength", 0, 4)
    midi.heard(Turned)
    again = Midi(tmp_path / "midi.toml", post)
    assert post.take() == {"strength": 4.0}
    again.heard(Turned)
    assert post.take() == {"strength": 4.0}
    (tmp_path / "midi.toml").write_text('"control 0 21" = "strength 0"')
    with pytest.raises(SettingsError, match="cannot be read"):
        Midi(tmp_path / "midi.toml", post)


def test_bass_is_loud_beside_the_loudest_of_the_last_seconds():
    rate, block = 44100, 882
    times = np.arange(20 * rate // 10) / rate
    beats = np.where(times % 0.5 < 0.1, 0.3, 0.0) * np.sin(2 * np.pi * 60 * times)

    def heard(samples):
        loudness = Loudness(rate)
        return np.array([loudness(part) for part in samples.reshape(-1, block)])

    told = heard(beats[: len(beats) // block * block])
    assert told[1:].min() >= 0
    assert told.max() == 1
    at = np.arange(len(told)) * block / rate % 0.5
    assert told[(at > 0.06) & (at < 0.1)].min() > 0.9
    assert told[at > 0.42].max() < 0.3
    np.testing.assert_allclose(heard(0.01 * beats[: len(told) * block]), told, atol=1e-6)
    assert not heard(np.zeros(10 * block)).any()
    whistle = 0.3 * np.sin(2 * np.pi * 3000 * times[: 50 * block])
    assert heard(whistle + 0.05)[WINDOW:].max() < 0.2


def test_what_is_loud_dreams_further(film):
    far, picture = [], drawn(0)
    for loud in (0.0, 1.0):
        post = Post()
        show = running.Show(asked(film), post, pytest.fail)
        post("heard", loud)
        far.append(np.abs(shown(show, picture).astype(float) - picture).mean())
    assert far[1] > 2 * far[0] > 0


def test_a_sound_input_is_listened_to(monkeypatch):
    said = []

    class Stream:
        def __init__(self, rate, block, device, callback):
            self.callback, self.shape = callback, (block, 2)
            said.append((rate, block, device))

        def start(self):
            self.callback(np.full(self.shape, 0.5), self.shape[0], None, None)

        def close(self):
            said.append("closed")

    def devices(device=None, kind=None):
        if kind is None:
            return [{"name": "Microphone", "max_input_channels": 2},
                    {"name": "Speaker", "max_input_channels": 0}]  # fmt: skip
        if device == "piano":
            raise ValueError("No input device matching 'piano'")
        return {"default_samplerate": 48000.0}

    library = SimpleNamespace(InputStream=Stream, query_devices=devices, PortAudioError=KeyError)
    monkeypatch.setitem(sys.modules, "sounddevice", library)
    post = Post()
    with Ears("3", post):
        assert 0 <= post.take()["heard"] <= 1
    assert said == [(48000.0, 960, 3), "closed"]
    with pytest.raises(SettingsError, match=r"some of Microphone$"), Ears("piano", post):
        pass
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(SettingsError, match=r"pip install 'dreamvid\[live\]'"), Ears("3", post):
        pass


def test_a_page_shows_the_newest_picture():
    with Page(0) as page:
        page.show(drawn(1))
        page.show(drawn(3, flash=3))
        where = f"http://127.0.0.1:{page.port}"
        jpeg = urllib.request.urlopen(f"{where}/latest.jpg", timeout=5).read()
        found = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert found.shape == (48, 64, 3)
        assert found.mean() > 240
        stream = urllib.request.urlopen(f"{where}/stream", timeout=5)
        assert stream.readline() == b"--dreamvid\r\n"
        stream.close()
        assert b"/stream" in urllib.request.urlopen(f"{where}/", timeout=5).read()
        elsewhere = urllib.request.Request(where, headers={"Host": "elsewhere.example"})
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(elsewhere, timeout=5)
        with pytest.raises(SettingsError, match="choose another"):
            Page(page.port)


def test_a_page_with_a_key_shows_and_hears_those_who_have_it():
    post = Post()
    with Page(0, key="secret", post=post) as page:
        page.show(drawn(1))
        where = f"http://127.0.0.1:{page.port}"

        def say(key, body):
            asked = urllib.request.Request(f"{where}/say?key={key}", body, method="POST")
            return urllib.request.urlopen(asked, timeout=5).status

        assert urllib.request.urlopen(f"{where}/latest.jpg?key=secret", timeout=5).read()
        assert say("secret", b'["strength", 0.5]') == 200
        assert post.take() == {"strength": 0.5}
        for path in ("/latest.jpg", "/stream?key=other"):
            with pytest.raises(urllib.error.HTTPError, match="403"):
                urllib.request.urlopen(where + path, timeout=5)
        with pytest.raises(urllib.error.HTTPError, match="403"):
            say("other", b'["strength", 0.5]')
        for body in (b"", b"{", b'["strength"]', b"[" * 2000):
            with pytest.raises(urllib.error.HTTPError, match="400"):
                say("secret", body)
    assert not post.take()


@pytest.mark.parametrize("size", [SIZE, Size(40, 48)])
def test_what_is_made_ready_beside_the_dream_changes_nothing(film, size):
    """Each picture comes once and in order, as if all were done in turn."""
    grab, seen = opened(str(film)).grab, []
    dream, wanted = LiveDream(QUICK, size, 0), []
    while (pixels := grab()) is not None:
        frame = covered(from_pixels(np.ascontiguousarray(pixels[:, :, ::-1])), size)
        wanted.append(to_pixels(dream(frame)))

    def watch(show, captured):
        assert show.dream.index <= captured <= show.dream.index + 3

    whole = running.Asked(str(film), QUICK, size, 0.0, every=True)
    told = running.live(whole, [Nowhere(seen.append)], [], Post(), watch=watch)
    assert told.frames == len(wanted) == FRAMES
    assert np.array_equal(seen, wanted)


def test_flow_that_was_found_for_another_picture_is_found_again():
    """As after a hold or a change of level."""
    ahead, turn = (LiveDream(QUICK, SIZE, 10) for _ in range(2))
    frames = [from_pixels(drawn(3 * number)) for number in range(4)]
    ready = [ahead.ready(drawn(3 * number)) for number in range(4)]
    for number in (0, 2, 3):
        if number == 3:
            ahead.budget.place = turn.budget.place = len(turn.budget.levels) - 1
        found = ahead(ready[number].frame(), 1.0, ready[number].look)
        assert torch.equal(found, turn(frames[number]))


class Pictures:
    """A source of numbers, each as a picture, in place of `Newest`."""

    every = True

    def __init__(self, count):
        self.captured, self.count = 0, count

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Nothing is to be closed."""

    def take(self):
        if self.captured == self.count:
            raise Ended("the source is at its end")
        self.captured += 1
        return SimpleNamespace(pixels=self.captured)


@pytest.mark.parametrize(
    ("device", "slow", "order"),
    [
        # A processor shows what it has dreamed, a GPU begins the next picture first,
        ("cpu", 0.0, "b1 w1 b2 w2 b3 w3"),
        ("cuda", 0.0, "b1 b2 w1 b3 w2 w3"),
        # unless there is none yet.
        ("cuda", 0.05, "b1 w1 b2 w2 b3 w3"),
    ],
)
def test_one_picture_at_most_is_begun_before_the_last_is_shown(device, slow, order):
    noted, made = [], []

    def make(number):
        made.append(number)
        time.sleep(slow)
        return number

    def begin(number):
        noted.append(f"b{number}")
        assert len(made) <= number + 1
        time.sleep(0 if slow else 0.05)
        return lambda: noted.append(f"w{number}") or number

    dream = SimpleNamespace(network=SimpleNamespace(device=torch.device(device)))
    show = SimpleNamespace(dream=dream, ended=False, asked=SimpleNamespace(frames=0), begin=begin)
    found = []
    with Ahead(Pictures(3), make) as ahead, pytest.raises(Ended, match="at its end"):
        found.extend(running.dreamed(show, ahead, lambda: False))
    assert found == [1, 2, 3]
    assert noted == order.split()


@pytest.mark.parametrize("every", [False, True])
def test_where_pictures_may_be_missed_one_is_taken_just_in_time(every):
    pictures, ages = Pictures(4), []
    pictures.every = every
    with Ahead(pictures, lambda number: time.monotonic()) as ahead:
        for _ in range(4):
            ages.append(-ahead.take() + time.monotonic())
            time.sleep(0.1)
    assert (ages[-1] > 0.09) == (ages[-2] > 0.09) == every


def test_what_goes_wrong_beside_the_dream_is_raised_in_it():
    def make(number):
        if number == 2:
            raise SettingsError("no such thing")
        return number

    with Ahead(Pictures(3), make) as ahead:
        assert ahead.take() == 1
        with pytest.raises(SettingsError, match="no such thing"):
            ahead.take()


def test_a_signal_ends_a_live_dream_as_it_should(film):
    def stop(show, captured):
        os.kill(os.getpid(), signal.SIGTERM)

    told = running.live(asked(film), [Nowhere()], [], Post(), watch=stop)
    assert (told.frames, told.why) == (1, "stopped")


def test_a_window_needs_a_screen(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(SettingsError, match="--to page"):
        Window(Post())


def test_a_virtual_camera_and_the_network_get_each_picture_as_it_is(monkeypatch):
    said = []

    class Camera:
        def __init__(self, width, height, fps):
            said.append((width, height, fps))

        def send(self, pixels):
            said.append(pixels[0, 0].tolist())

        def close(self):
            said.append("closed")

    class Frame:
        def set_resolution(self, width, height):
            said.append((width, height))

        def set_frame_rate(self, rate):
            said.append(rate)

        def set_fourcc(self, code):
            said.append(code)

    class Sender:
        def __init__(self, name, clock_video):
            assert not clock_video

        def set_video_frame(self, frame):
            assert isinstance(frame, Frame)

        def open(self):
            said.append("open")

        def write_video(self, values):
            said.append((values.shape, values[:4].tolist()))

        def close(self):
            said.append("closed")

    picture = np.tile(np.array([10, 20, 30], np.uint8), (48, 64, 1))
    monkeypatch.setitem(sys.modules, "pyvirtualcam", SimpleNamespace(Camera=Camera))
    with VirtualCamera(15.0) as output:
        output.show(picture)
        output.show(picture)
    assert said == [(64, 48, 15.0), [10, 20, 30], [10, 20, 30], "closed"]
    said.clear()
    for name, parts in (
        ("cyndilib", {}),
        ("cyndilib.sender", {"Sender": Sender}),
        ("cyndilib.video_frame", {"VideoSendFrame": Frame}),
        ("cyndilib.wrapper", {}),
        ("cyndilib.wrapper.ndi_structs", {"FourCC": SimpleNamespace(RGBX="RGBX")}),
    ):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(__path__=[], **parts))
    with Ndi(15.0) as output:
        output.show(picture)
    values = ((48 * 64 * 4,), [10, 20, 30, 255])
    assert said == [(64, 48), 15, "RGBX", "open", values, "closed"]


def test_pictures_are_shared_by_spout_and_by_syphon(monkeypatch):
    said, picture = [], np.tile(np.array([10, 20, 30], np.uint8), (48, 64, 1))

    class Sender:
        setSenderName = releaseSender = setFrameSync = lambda self, *name: said.append(name)

        def sendImage(self, pixels, *rest):
            said.append((pixels.shape, pixels[5, 9].tolist(), *rest))
            return not said.count("refuses")

    class Server:
        device = "metal"

        def __init__(self, name):
            said.append(name)

        def publish_frame_texture(self, texture):
            said.append(("published", texture))

        def stop(self):
            said.append("stopped")

    monkeypatch.setattr(sharing.sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "SpoutGL", SimpleNamespace(SpoutSender=Sender))
    with Spout(15.0) as output:
        output.show(picture)
    shown = ((48, 64, 4), [10, 20, 30, 255])
    title = ("dreamvid live",)
    assert said == [title, (*shown, 64, 48, 0x1908, False, 0), title, ()]
    said[:] = ["refuses"]
    with Spout(15.0) as output, pytest.raises(SettingsError, match="shares no pictures"):
        output.show(picture)
    said.clear()
    monkeypatch.setattr(sharing.sys, "platform", "darwin")
    for name, parts in (
        ("syphon", {"SyphonMetalServer": Server}),
        ("syphon.utils", {}),
        (
            "syphon.utils.numpy",
            {"copy_image_to_mtl_texture": lambda *given: said.append(given[0].shape)},
        ),
        ("syphon.utils.raw", {"create_mtl_texture": lambda *given: given}),
    ):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(__path__=[], **parts))
    with Syphon(15.0) as output:
        output.show(picture)
    texture = ("metal", 64, 48)
    assert said == ["dreamvid live", shown[0], ("published", texture), "stopped"]
    monkeypatch.setattr(sharing.sys, "platform", "linux")
    for kind in (Spout, Syphon):
        with pytest.raises(SettingsError, match=r"own; use --to ndi or --to page here"):
            kind(15.0)


@pytest.mark.parametrize(
    ("output", "library", "platform"),
    [
        (VirtualCamera, "pyvirtualcam", sys.platform),
        (Ndi, "cyndilib", sys.platform),
        (Spout, "SpoutGL", "win32"),
        (Syphon, "syphon", "darwin"),
    ],
)
def test_outputs_whose_library_is_missing_name_the_extra(monkeypatch, output, library, platform):
    monkeypatch.setattr(sharing.sys, "platform", platform)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(SettingsError, match=r"pip install 'dreamvid\["):
        output(15.0)


def test_what_stands_still_dreams_and_what_moves_does_not():
    before, now = torch.full((3, 8, 10), 0.4), torch.full((3, 8, 10), 0.5)
    flow = torch.zeros(2, 8, 10)
    flow[0, :, 5:] = 6.0
    link = Correspondence(flow, torch.ones(8, 10), cut=False)
    carry = carry_for({"name": "stillness", "damping": 1.0, "motion": 1.0})
    start = carry(Situation(1, Moment(now, before, link), before + 0.2))
    assert torch.allclose(start.frame[:, :, :5], torch.tensor(0.7), atol=1e-5)
    assert torch.allclose(start.frame[:, :, 5:], now[:, :, 5:], atol=1e-5)
    assert start.lift[0, 0] == 1
    assert start.lift[0, 9] < 1e-6
    first = carry(Situation(0, Moment(now), None))
    assert not first.lift.any()


def test_live_flow_is_found_at_a_small_size():
    picture = torch.rand(3, 30, 60, generator=torch.Generator().manual_seed(2))
    picture = torch.nn.functional.interpolate(picture[None], (240, 480), mode="bicubic")[0]
    earlier, now = picture.clamp(0, 1), picture.roll(6, 2).clamp(0, 1)
    seen = [looked_at(each) for each in (now, earlier)]
    found, here = between(*seen), torch.device("cpu")
    link = widened(found, Size(240, 480), here, read=True)
    middle = link.flow[:, 60:180, 100:380]
    assert middle[0].median() == pytest.approx(-6, abs=0.6)
    assert middle[1].median() == pytest.approx(0, abs=0.4)
    assert link.trust.shape == (240, 480)
    small = widened(found, Size(60, 120), here, read=True)
    assert small.flow[0, 15:45, 25:95].median() == pytest.approx(-1.5, abs=0.2)
    pixels = to_pixels(now)
    assert (looked_at_pixels(pixels, Size(240, 480)) - seen[0]).abs().max() < 1.5 / 255
    middle = looked_at_pixels(pixels, Size(240, 240))
    assert (middle - looked_at(now[:, :, 120:360])).abs().max() < 1.5 / 255
    rows = torch.arange(6.0)[:, None].expand(6, 9)
    assert torch.equal(
        shrunk(rows[None].repeat(3, 1, 1), Size(3, 3))[1, :, 0], torch.tensor([0.5, 2.5, 4.5])
    )


def test_a_level_that_holds_the_rate_is_found_before_the_first_picture():
    dream = LiveDream(QUICK, SIZE, 1000)
    dream.rehearse()
    assert dream.budget.place == len(dream.budget.levels) - 1
    easy = LiveDream(QUICK, SIZE, 0.1)
    easy.budget.place = 1
    easy.rehearse()
    assert (easy.budget.place, easy.index, easy.previous) == (0, 0, None)
    least = dream.budget.level
    dream.change(QUICK.changed("ascent", step_size=1.0))
    assert dream.budget.level == least


def test_a_live_dream_wanders_as_a_film_does():
    settings = QUICK.changed("network", wander=0.5)
    dream = LiveDream(settings, SIZE, 12)
    first = dream._dreamer(dream.budget.level)
    (layer,) = first.settings.network.layers
    assert "walk" in layer
    assert "0.5s" in layer
    assert first.settings.film.rate == 12
    met = {first.plan.at(index, later=True).octaves[0].choices[0].channels for index in (0, 6, 12)}
    assert len(met) == 3
    assert dream.settings.network.layers == ()
    dream.change(settings.changed("network", layers=("3b",)))
    assert dream._dreamer(dream.budget.level).settings.network.layers == ("3b",)


def test_a_dream_goes_on_where_its_level_changes():
    dream = LiveDream(QUICK.changed("ascent", step_size=4.0), Size(96, 128), 10)
    picture = torch.rand(3, 96, 128)
    last = len(dream.budget.levels) - 1
    far = []
    for place in (0, 0, last, 0):
        dream.budget.place = place
        far.append((dream(picture) - picture).abs().mean().item())
    dream.forget()
    alone = (dream(picture) - picture).abs().mean().item()
    assert alone == pytest.approx(far[0])
    assert min(far[2:]) > 1.1 * alone


def test_the_command_records_an_ordinary_job(film, tmp_path):
    asked = ["live", film, "--to", "none", "--every", "--size", "64x48", "--dream", "ascent"]
    quick = ["--octaves", "1", "--set", "ascent.later=1"]
    result = call_cli(*asked, *quick, "--record", "a.mp4", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert f"{FRAMES} frames dreamed" in result.stderr
    assert result.stdout.strip() == "a.mp4"
    assert len(list((tmp_path / "a.mp4.dream" / "frames").iterdir())) == FRAMES
    again = call_cli("encode", "a.mp4.dream", "-o", "b.mp4", "-q", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    no = call_cli("resume", "a.mp4.dream", "--overwrite", cwd=tmp_path)
    assert (no.returncode, no.stderr.count("\n")) == (2, 1)
    assert "dreamvid encode" in no.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nothing.mp4"], "no such film"),
        (["FILM", "--to", "paper"], "expected some of"),
        (["FILM", "--to", "none", "--learn", "tap"], "--midi"),
        (["FILM", "--to", "none", "--presets", "nothing"], "nothing"),
        (["FILM", "--to", "none", "--size", "8x8"], "too small"),
        (["FILM", "--to", "none", "--dream", "none.safetensors"], "no such file"),
    ],
)
def test_a_live_dream_that_cannot_be_is_refused(film, tmp_path, words, told):
    result = call_cli("live", *(film if word == "FILM" else word for word in words), cwd=tmp_path)
    assert (result.returncode, result.stderr.strip().count("\n")) in ((2, 0), (2, 1)), result.stderr
    assert told in result.stderr
    assert not list(Path(tmp_path).iterdir())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], None),
        (["--preset", "endless"], None),
        (["--layer", "3b"], "got 3b; it dreams by ascent"),
    ],
)
def test_turbo_dreams_what_it_has_learned_and_ascent_the_rest(film, tmp_path, words, told):
    asked = ["live", film, "--to", "none", "--every", "--frames", "2", "--size", "64x48", *words]
    result = call_cli(*asked, "--octaves", "1", "--record", "a.mp4", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert ("dreams by ascent" in result.stderr) == (told is not None)
    assert (told or "") in result.stderr
    kept = json.loads((tmp_path / "a.mp4.dream" / "job.json").read_text())["settings"]
    assert kept.get("turbo", {}).get("dream", "ascent") == ("ascent" if told else "turbo")


def test_two_lives_at_once_do_not_share_a_port(film):
    with Page(0) as page:
        result = call_cli("live", film, "--to", "page", "--port", page.port, "--dream", "ascent")
    assert result.returncode == 2
    assert "choose another" in result.stderr
