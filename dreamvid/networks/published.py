"""The published weights of every network: which there are, and what of them is here.

RAFT is among them, which does not dream: it follows films.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from dreamvid.errors import NetworkError
from dreamvid.networks import weights as weights_files
from dreamvid.networks.building import sources
from dreamvid.networks.registered import networks
from dreamvid.networks.torchvision import raft
from dreamvid.networks.weights import Source


class Entry(NamedTuple):
    """A network's published file and what is known of it."""

    network: str
    source: Source
    path: Path | None
    """Where it is kept, if it is."""

    @property
    def known(self) -> str:
        """How the file is known: in words."""
        if self.path and (pin := weights_files.pinned(self.path)):
            return f"SHA-256 {pin[:12]}… pinned at first use"
        pinned = "" if len(self.source.sha256) == 64 else "; SHA-256 pinned at first use"
        return f"known beforehand: {self.source.known}{pinned}"


def table(name: str | None = None) -> Iterator[Entry]:
    """What is published, for one network or all."""
    for network in [name] if name else [*networks.names(), *raft.NAMES]:
        found = raft.raft_sources(raft.NAMES[network]) if network in raft.NAMES else None
        for source in sources(network) if found is None else found:
            path = weights_files.hub_folder() / source.file
            yield Entry(network, source, path if path.is_file() else None)


def fetched(name: str, *, offline: bool, say: Callable[[str], None]) -> Path:
    """Where the network's weights are, fetched first unless they are here.

    Raises:
        NetworkError: They are not to be had, not what they were, or not here while `offline`.
    """
    entries = list(table(name))
    if not entries:
        raise NetworkError(f"{name}: has its weights inside the package, nothing to fetch")
    if any(entry.path for entry in entries) or offline:
        return located(name)
    return weights_files.fetch(entries[0].source, name, say=say)


def located(name: str | None) -> Path:
    """Where a network's weights are, checked; without a name, the folder of all of them."""
    if name is None:
        return weights_files.hub_folder()
    entries = list(table(name))
    if not entries:
        raise NetworkError(f"{name}: has its weights inside the package, as no file of their own")
    return weights_files.kept(name, [entry.source for entry in entries])


def verified(name: str | None) -> list[str]:
    """A line for each file that is here and right.

    Raises:
        NetworkError: A file is not what it was; or `name` has none here.
    """
    if name:
        located(name)
    done: dict[Path, str] = {}
    for entry in table(name):
        if entry.path and entry.path not in done:
            sha256 = weights_files.check(entry.path, entry.source, entry.network)
            done[entry.path] = f"{entry.path}: SHA-256 {sha256}"
    return list(done.values()) or [f"{weights_files.hub_folder()}: no weights here"]
