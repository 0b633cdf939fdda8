"""The manifest of a job: everything needed to go on with it, and to know that it may be gone on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from dreamvid.settings import Settings, settled

FORMAT = 1


@dataclass(frozen=True)
class Manifest:
    """What a job is: everything needed to go on with it, and to know that it may be gone on."""

    kind: str
    settings: Settings
    out: Path
    source: Mapping[str, str]
    """Path and SHA-256 of the input; of a film also its first frame that is dreamed over."""
    weights_sha256: str
    machine: Mapping[str, Any]
    """Versions, device and threads: what must be the same for the same bytes."""
    pictures: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of the pictures and masks that objectives look at, and of a turbo network, by their
    settings."""
    plugins: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of the plugins it is made with, by the absolute paths of their files."""
    begun_in: Path | None = None
    """The job folder when it was made; None in jobs that do not tell."""

    def tree(self) -> dict[str, Any]:
        """The manifest as plain JSON values."""
        return {
            "format": FORMAT,
            "kind": self.kind,
            "out": str(self.out),
            "source": dict(self.source),
            "weights_sha256": self.weights_sha256,
            "machine": dict(self.machine),
            "pictures": dict(self.pictures),
            "plugins": dict(self.plugins),
            "settings": self.settings.tree(),
            **({} if self.begun_in is None else {"begun_in": str(self.begun_in)}),
        }

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Self:
        """The inverse of `tree`."""
        return cls(
            kind=tree["kind"],
            settings=settled(tree["settings"]),
            out=Path(tree["out"]),
            source=dict(tree["source"]),
            weights_sha256=tree["weights_sha256"],
            machine=dict(tree["machine"]),
            pictures=dict(tree.get("pictures", {})),
            plugins={name: _text(sha256) for name, sha256 in dict(tree.get("plugins", {})).items()},
            begun_in=Path(tree["begun_in"]) if "begun_in" in tree else None,
        )


def _text(value: object) -> str:
    """`value` itself; a `TypeError` where it is no text."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
