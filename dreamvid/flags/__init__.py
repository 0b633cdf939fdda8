"""The one table of flags: how each is written, what it says, and the setting it sets.

Both doors read it: the command line makes its options from it, the Python functions their keywords.
A flag's default is that of its setting, so it is written nowhere here. This imports nothing heavy.
"""

from dreamvid.flags.commands import COMMAND_LINE, COMMANDS, OWN, flags_of
from dreamvid.flags.table import FLAGS, Flag

__all__ = ["COMMANDS", "COMMAND_LINE", "FLAGS", "OWN", "Flag", "flags_of"]
