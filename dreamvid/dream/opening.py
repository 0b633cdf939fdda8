"""The network that settings name, opened on its device."""

from dreamvid.errors import SettingsError
from dreamvid.machine.devices import device_for, made_ready
from dreamvid.networks import network
from dreamvid.networks.base import Network
from dreamvid.networks.kernels import choose
from dreamvid.settings import Settings


def network_for(settings: Settings, *, keep_memory: bool = True) -> Network:
    """The network that `settings` name, on its device; see `made_ready`."""
    made_ready(settings.machine.threads, keep_memory=keep_memory)
    device = device_for(settings.machine.device)
    if device.type == "mps" and settings.machine.precision == "fp64":
        raise SettingsError("machine.precision: mps has no fp64; expected auto, bf16, fp16 or fp32")
    net = network(
        settings.network.name,
        weights=settings.network.weights or (),
        device=device,
        precision=settings.machine.precision,
        options=settings.network.options,
    )
    choose(settings.machine.kernels, device, net.dtype)
    return net
