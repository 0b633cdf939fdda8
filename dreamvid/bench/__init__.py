"""How fast the dream is here: beside the machine's own limit, and beside plainer ways.

`benchmark` gives every figure of one run as plain JSON values, `print_tables` prints them.
"""

from dreamvid.bench.measuring import COMPARISONS, benchmark
from dreamvid.bench.report import print_tables

__all__ = ["COMPARISONS", "benchmark", "print_tables"]
