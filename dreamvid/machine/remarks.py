"""What the user should know of the machine, said once a run through Python's own logging."""

import logging
from functools import cache


@cache
def say_once(line: str) -> None:
    """Tell `line`, the first time that it is given; it goes to standard error by default."""
    logging.getLogger("dreamvid").warning(line)
