"""Where the weights of RAFT are published, which finds the motion of films and never dreams."""

from dreamvid.networks.weights import Source

NAMES = {"raft": "large", "raft_small": "small"}
"""What the weights are called, by the size of the network."""


def raft_sources(size: str) -> tuple[Source, ...]:
    """Where torchvision's weights of that size lie; none where torchvision cannot be imported."""
    try:
        from torchvision.models import optical_flow
    # A torchvision built for another torch fails in ways of its own: RuntimeError, OSError, ...
    except Exception:
        return ()
    url: str = getattr(optical_flow, f"Raft_{size.capitalize()}_Weights").DEFAULT.url
    return (Source(url, "BSD-3-Clause", sha256=url[-12:-4]),)
