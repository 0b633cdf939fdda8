"""Plans on Ray: a real cluster of two nodes on this machine, whose workers and node die."""

import json
import os
import secrets
import signal
import sys
import threading
import time
from fractions import Fraction

import pytest
from conftest import call_cli
from test_farm import EACH, FAST, must_equal, planned, shots

from dreamvid.errors import DreamvidError
from dreamvid.farm import ray_farm, ray_host
from dreamvid.farm.ray_hands import GONE, Hand
from dreamvid.media.film_writing import encode_film

# Ray leaves sockets and processes to the collector, and warns of what it will change.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ray")
    encode_film(shots(), folder / "clip.mp4", Fraction(12), options={"crf": 0})
    made = call_cli("video", "clip.mp4", *FAST, "-o", "clip-video.mp4", cwd=folder)
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of two processors each, open to the token alone."""
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    ray_farm.ray_here()
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    nodes.second = nodes.add_node(num_cpus=2)
    yield nodes
    nodes.shutdown()


def owner(plan, unit):
    """Who has a unit now."""
    path = max((plan / "claims").glob(f"*/{unit}.[0-9]*"))
    return json.loads(path.read_text())


def test_three_actors_make_what_one_process_makes(place, cluster):
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    planned(place, "video", "clip.mp4", "-o", "plan", "--per-unit", 1, *FAST)
    words = ("--address", cluster.address, "--workers", 3)
    done = call_cli("farm", "plan", *words, cwd=place)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("plan/results/clip-video.mp4\n")
    assert "3 workers of 1 threads each" in done.stderr
    must_equal(place, place / "plan")
    assert "-farm-" not in done.stderr


def test_units_travel_by_content_where_no_folder_is_shared(place, cluster, monkeypatch):
    """The frames and the film are the same, though an actor dies and the clip is not seen there."""
    planned(place, "video", "clip.mp4", "-o", "apart", "--per-unit", 1, *FAST)
    plan, run, keep = place / "apart", ray_host.Host.run, ray_host.Host._keep_frame
    pids, killed = {}, []

    def running(self):
        pids.update({hand: self.ray.get(hand.process.remote()) for hand in self.crew.hands})
        run(self)

    def keeping(self, errand, *rest):
        keep(self, errand, *rest)
        if not killed:
            killed.append(errand.claim.unit)
            os.kill(pids[errand.hand], signal.SIGKILL)

    monkeypatch.setattr(ray_host.Host, "run", running)
    monkeypatch.setattr(ray_host.Host, "_keep_frame", keeping)
    words = ("--address", cluster.address, "--workers", 2, "--no-shared-folder")
    done = call_cli("farm", "apart", *words, cwd=place)
    assert done.returncode == 0, done.stderr
    must_equal(place, plan)
    assert len(list((plan / "claims").glob(f"*/{killed[0]}.2"))) == 1
    for journal in plan.glob("units/shot-*/journal.jsonl"):
        lines = [json.loads(line)["index"] for line in journal.read_text().splitlines()]
        assert len(lines) == len(set(lines)) == EACH


def test_a_worker_and_its_node_may_die(place, cluster):
    planned(place, "video", "clip.mp4", "-o", "dying", "--per-unit", 1, *FAST)
    plan, made = place / "dying", []

    def farm():
        made.append(ray_farm.farm(plan, "again", address=cluster.address, workers=3))

    thread = threading.Thread(target=farm)
    thread.start()
    deadline = time.monotonic() + 120
    while not (taken := sorted((plan / "claims").glob("*/shot-*.1"))):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for _ in range(100):  # the name comes before what is in it
        if taken[0].read_text():
            break
        time.sleep(0.01)
    os.kill(owner(plan, taken[0].stem)["pid"], signal.SIGKILL)
    cluster.remove_node(cluster.second, allow_graceful=False)
    thread.join(timeout=200)
    assert made == [[plan / "results" / "clip-video.mp4"]]
    must_equal(place, plan)
    for journal in plan.glob("units/shot-*/journal.jsonl"):
        assert len(journal.read_text().splitlines()) == EACH


def test_a_folder_that_is_not_shared_is_one_line(place, cluster, tmp_path):
    planned(place, "video", "clip.mp4", "-o", "unshared", "--per-unit", 12, *FAST)
    hand = Hand(str(tmp_path), "another", "hand-1", False, 1)
    assert "share the folder with every node" in hand.ready()
    assert hand.make("shot-0001") == (GONE, hand.ready())
    hand = Hand(str(place / "unshared"), "another", "hand-1", False, 1)
    assert "is another plan" in hand.ready()


def test_without_ray_one_line_tells_what_to_install(place, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(DreamvidError, match=r"pip install 'dreamvid\[ray\]'") as caught:
        ray_farm.ray_here()
    assert "\n" not in str(caught.value)
