"""`dcos auth`: log in to the attached cluster."""

import argparse
import getpass
import os
import sys
from pathlib import Path

from comity.cli.dcos import parsing, printing, settings
from comity.cli.dcos.session import connected
from comity.core.errors import UserError
from comity.sdk.gateway import Cluster
from comity.sdk.rest import ApiError

completed = parsing.as_given


def parser() -> argparse.ArgumentParser:
    """Return the group's parser."""
    commands = parsing.top(
        "auth",
        "log in to the attached cluster",
        examples="""
        dcos auth login --username admin --password-file ./work/gateway/admin-password
        dcos auth list-providers
        dcos auth logout
        """,
    )
    entry = commands.add("login", _login, "get a token and keep it")
    add_login_flags(entry)
    commands.add("logout", _logout, "forget the token")
    providers = commands.add("list-providers", _providers, "list the ways to log in")
    parsing.add_json(providers)
    return commands.parser


def add_login_flags(parser: argparse.ArgumentParser) -> None:
    """Add what says who logs in."""
    parser.add_argument("--username", help="user id (or $DCOS_USERNAME)")
    parser.add_argument("--password", help="password (or $DCOS_PASSWORD; others can see flags)")
    parser.add_argument("--password-file", type=Path, help="file that holds the password")
    parser.add_argument(
        "--provider", default="dcos-users", choices=["dcos-users"], help="the way to log in"
    )


async def login(cluster: Cluster, args: argparse.Namespace) -> str:
    """Log in with what the flags, the environment or the person say; returns the token."""
    username = args.username or os.environ.get("DCOS_USERNAME") or _asked("Username: ")
    try:
        return await cluster.login(username, _password(args))
    except ApiError as error:
        raise UserError(f"cannot log in as {username}: {error}") from error


def _password(args: argparse.Namespace) -> str:
    if args.password_file is not None:
        try:
            return str(args.password_file.read_text()).rstrip("\n")
        except OSError as error:
            raise UserError(f"cannot read the password: {error}") from error
    given = args.password or os.environ.get("DCOS_PASSWORD")
    return given or (getpass.getpass() if sys.stdin.isatty() else _asked("Password: "))


def _asked(question: str) -> str:
    print(question, end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline().strip()
    if not answer:
        raise UserError("nothing was entered; give --username and --password-file")
    return answer


async def _login(args: argparse.Namespace) -> None:
    held = settings.attached()
    if held is None:
        raise UserError("no cluster is attached: dcos cluster setup URL")
    url, verify = str(held.get("core.dcos_url")), held.get("core.ssl_verify")
    async with connected(url, verify=verify) as cluster:
        if not await cluster.needs_login():
            printing.note("this cluster asks nobody to log in")
            return
        held.set("core.dcos_acs_token", await login(cluster, args))
    printing.note("logged in")


def _logout(args: argparse.Namespace) -> None:
    held = settings.attached()
    if held is not None:
        held.set("core.dcos_acs_token", None)


async def _providers(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        found = await cluster.providers()
    if args.json:
        printing.json(found)
        return
    printing.table(
        ["PROVIDER ID", "LOGIN METHOD"],
        ([name, entry.get("description", "")] for name, entry in found.items()),
    )
