"""Registries: a name for a function, and its signature as the one schema of its options.

The keyword-only parameters of a registered function are its options in TOML, its ``--set`` keys,
its line in ``dreamvid list`` and the words of its errors.
"""

from dreamvid.registry.registering import Registry
from dreamvid.registry.values import (
    RATE,
    Evaluate,
    Fraction01,
    Positive,
    Within,
    checked_options,
    checked_value,
    did_you_mean,
    parameters,
)

__all__ = [
    "RATE",
    "Evaluate",
    "Fraction01",
    "Positive",
    "Registry",
    "Within",
    "checked_options",
    "checked_value",
    "did_you_mean",
    "parameters",
]
