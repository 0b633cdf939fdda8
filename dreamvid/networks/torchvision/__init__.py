"""Torchvision's classifiers, each family of which tells more of itself in a file of its own.

Torchvision itself is imported only when one of its networks is asked for.
"""

from dreamvid.networks.registered import discover

discover(__path__, __name__)
