"""Kernels for a GPU: what takes torch many passes over memory, in one.

Written in Triton, which comes with torch's builds for NVIDIA's GPUs; import this only there. They
reckon in float32 whatever the type of what they read. Channels lie last in memory. With
`TRITON_INTERPRET=1` in the environment they run, slowly, on a processor.
"""

from dreamvid.networks.fused import passes, pictures, places
from dreamvid.networks.fused.blocks import bottleneck, clipped, inception, takes
from dreamvid.networks.fused.pictures import moved, rolled
from dreamvid.networks.fused.places import local_response, pooled
from dreamvid.networks.fused.stem import stem

__all__ = [
    "KERNELS",
    "bottleneck",
    "clipped",
    "inception",
    "local_response",
    "moved",
    "pooled",
    "rolled",
    "stem",
    "takes",
]

KERNELS = {**places.KERNELS, **passes.KERNELS, **pictures.KERNELS}
"""Every kernel, the types of its arguments ("x" is that of the activations) and its constants."""
