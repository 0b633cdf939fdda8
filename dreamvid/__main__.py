"""``python -m dreamvid``."""

from dreamvid.cli import main

main()
