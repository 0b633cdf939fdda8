"""Films whose dream wanders: one channel of a layer after another, each growing out of the last.

A layer as a whole dreams of what it knows best, which for most networks is dogs, and in a film that
is fed back they soon fill everything. A channel has its own subject. The layer that a network
dreams of by itself is therefore gone through channel by channel.
"""

import torch

from dreamvid.dream.dreamer import Dreamer, dreamer_for
from dreamvid.dream.octaves import octave_sizes
from dreamvid.frames import Frame, photographic, size_of
from dreamvid.settings import Settings

MOST = 64
"""Channels of a layer, before the first comes again."""
SLOWER = 1.23
"""How much longer each of several walks stays than the one before it, so that pairs differ."""


def wandering(dreamer: Dreamer, picture: Frame, *, closes: bool = False) -> Dreamer:
    """`dreamer`, for which `network.wander` has become walks where nothing else is asked for.

    Layers, channels and objectives that were chosen stay as they are, and so does a turbo network
    that has learned no channels. `picture` is where the film begins. With `closes`, its last
    channel leads into its first.
    """
    settings, network = dreamer.settings, dreamer.settings.network
    if not network.wander:
        return dreamer
    settings = settings.changed("network", wander=0.0, at_once=1)
    whole = dreamer.turbo is not None and not dreamer.turbo.channels
    chosen = network.layers or network.walk or settings.octaves.layers or whole
    if not chosen and settings.objective["name"] == "energy":
        found: list[str] = []
        for share in range(network.at_once):
            stay, count = network.wander * SLOWER**share, 0
            if closes:
                seconds = float(settings.film.length / settings.film.rate)
                count = max(1, round(seconds / stay))
                stay = seconds / count
            found += walks(dreamer, picture, settings, stay, count, (share, network.at_once))
        settings = settings.changed("network", layers=tuple(found))
    return dreamer_for(settings, net=dreamer.network)


def walks(
    dreamer: Dreamer,
    picture: Frame,
    settings: Settings,
    stay: float,
    count: int = 0,
    share: tuple[int, int] = (0, 1),
) -> tuple[str, ...]:
    """The layers, each with a walk through its channels; another seed is another film.

    They are the network's own tour, where it has one, else those that see most in the picture.

    Args:
        dreamer: what is dreamed so far.
        picture: where the film begins.
        settings: of the film.
        stay: seconds from one channel to the next.
        count: how many channels; 0: as many as there are.
        share: of several walks at once, the number of this one, and how many they are. They have
            no channel in common.
    """
    net, seed = dreamer.network, settings.film.seed
    number, walkers = share
    found = []
    for choice in dreamer.choices:
        if net.tour and choice.layer == net.favourite:
            first = 11 * seed % len(net.tour)
            order = net.tour[first:] + net.tour[:first]
        else:
            order = _seeing(dreamer, choice.layer, picture, seed)
        order = order[number::walkers]
        if not order:
            continue
        order = (order * -(-count // len(order)))[:count] if count else order
        channels = ",".join(map(str, order))
        found.append(f"{choice.layer}:walk({channels}, {stay:.6g}s)={choice.weight!r}")
    return tuple(found)


def _seeing(dreamer: Dreamer, layer: str, picture: Frame, seed: int) -> tuple[int, ...]:
    """The half of a layer's channels that see most in the picture, in an order by chance."""
    net = dreamer.network
    size = octave_sizes(size_of(picture), dreamer.settings.octaves)[0]
    small = photographic(picture, size)[None].to(net.device)
    with torch.no_grad():
        seen = net(net.preprocessing.to_input(small), [layer])[layer].float()
    peaks = seen.flatten(2).amax((0, 2)) if seen.ndim > 2 else seen.amax(0)
    half = peaks.argsort(descending=True, stable=True)[: max(1, len(peaks) // 2)].cpu()
    order = torch.randperm(len(half), generator=torch.Generator().manual_seed(seed % 2**62))
    return tuple(half[order][:MOST].tolist())
