"""How fast the dream is here: beside the machine's own limit, and beside plainer ways.

`measured` gives every figure of one run as plain JSON values, `told` makes tables of them.
"""

from dreamvid.bench.measuring import COMPARISONS, measured
from dreamvid.bench.report import told

__all__ = ["COMPARISONS", "measured", "told"]
