"""A question on the terminal."""

import typer


def confirmed(question: str, usual: bool) -> bool:
    """Ask for yes or no; `usual` is what Return means. The end of the input is a no."""
    try:
        return typer.confirm(question, default=usual, err=True)
    except typer.Abort:
        return False
