"""`dreamvid weights`: the published weights of the networks, on this computer."""

from importlib import import_module
from typing import Annotated

import typer

from dreamvid.cli.app import Group, app, tell
from dreamvid.cli.command import command

commands = typer.Typer(
    cls=Group,
    help="Fetch, check and find the weights of networks.",
    epilog="Example: dreamvid weights fetch googlenet",
    invoke_without_command=True,
)
app.add_typer(commands, name="weights")

Network = Annotated[
    str, typer.Argument(metavar="NETWORK", help="A network; see `dreamvid weights list`.")
]
OneOrAll = Annotated[
    str | None, typer.Argument(metavar="NETWORK", help="A network. [default: all of them]")
]


@commands.callback()
def _alone(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        tell(context.get_help() + "\n")


@command("dreamvid weights list", name="list", group=commands, within="weights")
def list_(network: OneOrAll = None) -> None:
    """List the networks with weights and what is here; of one network, where each file is from."""
    import_module("dreamvid.cli.listing").print_weights(network)


@command("dreamvid weights fetch googlenet", group=commands, within="weights")
def fetch(network: Network, offline: bool) -> None:
    """Fetch a network's weights, or go on with it, and say where they are."""
    published = import_module("dreamvid.networks.published")
    tell(f"{published.fetched(network, offline=offline, say=_say)}\n")


@command("dreamvid weights verify", group=commands, within="weights")
def verify(network: OneOrAll = None) -> None:
    """Check the SHA-256 of what was fetched."""
    for line in import_module("dreamvid.networks.published").verified(network):
        tell(f"{line}\n")


@command("dreamvid weights path googlenet", group=commands, within="weights")
def path(network: OneOrAll = None) -> None:
    """Say where a network's weights are, or the folder for all of them."""
    tell(f"{import_module('dreamvid.networks.published').located(network)}\n")


def _say(text: str) -> None:
    typer.echo(text, err=True)
