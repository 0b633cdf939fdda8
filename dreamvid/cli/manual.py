"""The manual page, in the language of ``man``, written from the table of flags."""

from dreamvid import __version__
from dreamvid.cli.told import Told, spellings, told

EXITS = (
    ("0", "Done."),
    ("2", "A setting or an input is wrong; one line says which."),
    ("74", "The disk is full, read-only or gone."),
    ("75", "Another run holds the job."),
    ("129, 130, 143", "Stopped by a signal; the last line says how to go on."),
    ("1", "Anything else."),
)


def page() -> str:
    """The whole page."""
    commands = told()
    return "\n".join(
        [
            f'.TH DREAMVID 1 "" "dreamvid {__version__}" "Dream films"',
            ".SH NAME",
            "dreamvid \\- dream films: DeepDream on every frame, each frame fed back",
            ".SH SYNOPSIS",
            *(line for each in commands for line in (_bold(each.usage), ".br")),
            ".SH DESCRIPTION",
            "dreamvid turns a picture, a film or noise into a dream film. Every frame is changed "
            "so that a neural network sees more in it, and the next frame starts from it.",
            ".SH COMMANDS",
            *(line for each in commands for line in _command(each)),
            ".SH EXIT STATUS",
            *(line for status, text in EXITS for line in (".TP", _bold(status), _plain(text))),
            "",
        ]
    )


def _command(command: Told) -> list[str]:
    lines = [f".SS {_plain(command.usage)}", _plain(command.about)]
    for each in command.arguments:
        lines += [".TP", _bold(each.name), _plain(each.help)]
    for name, flag in command.flags.items():
        shown = ", ".join(spellings(name, flag)) + (f" {flag.metavar}" if flag.metavar else "")
        lines += [".TP", _bold(shown), _plain(command.help_of(name))]
    return [*lines, ".PP", f"Example: {_plain(command.example)}"]


def _bold(text: str) -> str:
    return f"\\fB{_plain(text)}\\fR"


def _plain(text: str) -> str:
    """A text that `man` prints as it is."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text
