"""Flags that several commands have, spelled as kubectl spells them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from crossfade_operator.cli.session import Session

Command = Callable[[Session, argparse.Namespace], int]
"""Carries out one verb; returns the exit code."""


def cluster_flags(*, suppressed: bool = False) -> argparse.ArgumentParser:
    """Which cluster, which namespace, and who. `suppressed` leaves what was given before the verb as it is."""
    default = argparse.SUPPRESS if suppressed else None
    flags = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    flags.add_argument("-n", "--namespace", default=default, help="default: the context's namespace")
    flags.add_argument("--context", default=default, help="a context of the kubeconfig; default: the current one")
    flags.add_argument(
        "--kubeconfig", metavar="FILE", default=default, help="default: $KUBECONFIG, else ~/.kube/config"
    )
    flags.add_argument("--as", dest="acting_as", metavar="USER", default=default, help="act as this user")
    return flags


def output_flag(parser: argparse.ArgumentParser, what: str) -> None:
    """`-o json|yaml`."""
    parser.add_argument("-o", "--output", choices=["json", "yaml"], help=f"{what}, for programs")


def analyzer_flag(parser: argparse.ArgumentParser) -> None:
    """`--analyzer NAMESPACE/NAME`."""
    parser.add_argument(
        "--analyzer",
        metavar="NAMESPACE/NAME",
        help="Service of the analyzer; default: the one that the chart installed",
    )


def reason_flag(parser: argparse.ArgumentParser, what: str, *, required: bool) -> None:
    """`-m TEXT`."""
    parser.add_argument("-m", "--message", required=required, help=what)


class Verbs:
    """The command line's verbs, each with the flags that all have."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._parsers = parser.add_subparsers(metavar="COMMAND", required=True)
        self._common = cluster_flags(suppressed=True)

    def add(self, name: str, text: str, command: Command, **options: Any) -> argparse.ArgumentParser:
        """A verb that is carried out by `command`; `options` come with the parsed ones."""
        parser = self._parsers.add_parser(
            name, parents=[self._common], help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False
        )
        parser.set_defaults(command=command, **options)
        return parser
