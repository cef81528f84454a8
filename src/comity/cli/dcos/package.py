"""`dcos package`: find, install and uninstall packages."""

import argparse
from typing import Any

from comity.cli.dcos import parsing, printing, waiting
from comity.cli.dcos.reading import json_file
from comity.cli.dcos.session import connected
from comity.core.errors import UserError

completed = parsing.as_given

Json = dict[str, Any]


def parser() -> argparse.ArgumentParser:
    """Return the group's parser."""
    commands = parsing.top(
        "package",
        "find, install and uninstall packages",
        examples="""
        dcos package search
        dcos package describe --config hello-world
        dcos package install hello-world --yes --wait
        dcos package install hello-world --options options.json --app-id /team/hello
        dcos package uninstall hello-world --yes
        dcos package repo add Mine http://127.0.0.1:9000/repo.json
        """,
    )
    search = commands.add("search", _search, "find packages by name, description or tag")
    search.add_argument("query", nargs="?", default="", help="text, or a pattern with *")
    parsing.add_json(search)
    _add_describe(commands)
    _add_install(commands)
    listing = commands.add("list", _list, "list what is installed")
    listing.add_argument("name", nargs="?", default="")
    listing.add_argument("--app-id", default="", help="only the installation with this id")
    listing.add_argument("--cli", action="store_true", help="only command lines: there are none")
    parsing.add_json(listing)
    uninstall = commands.add("uninstall", _uninstall, "remove an installed package")
    uninstall.add_argument("name")
    uninstall.add_argument("--app-id", default="", help="which of several installations")
    uninstall.add_argument("--all", action="store_true", help="all installations of it")
    uninstall.add_argument("--yes", action="store_true", help="do not ask")
    _add_repo(commands)
    return commands.parser


def _add_describe(commands: parsing.Commands) -> None:
    describe = commands.add("describe", _describe, "show a package")
    describe.add_argument("name")
    describe.add_argument("--package-version", default="", help="not the newest")
    only = describe.add_mutually_exclusive_group()
    only.add_argument("--config", action="store_true", help="only its options")
    only.add_argument("--package-versions", action="store_true", help="only its versions")
    only.add_argument("--render", action="store_true", help="only the app it would start")
    only.add_argument("--app", action="store_true", help="only the template of its app")
    describe.add_argument("--options", default="", help="JSON file of options, for --render")
    describe.add_argument("--app-id", default="", help="id of the app, for --render")


def _add_install(commands: parsing.Commands) -> None:
    install = commands.add(
        "install",
        _install,
        "install a package",
        examples="""
        dcos package install kubernetes --yes --wait
        dcos package install hello-world --options options.json
        """,
    )
    install.add_argument("name")
    install.add_argument("--package-version", default="", help="not the newest")
    install.add_argument("--options", default="", metavar="FILE", help="JSON file of options")
    install.add_argument("--app-id", default="", help="id of the app, instead of the usual one")
    install.add_argument("--yes", action="store_true", help="do not ask")
    install.add_argument("--wait", action="store_true", help="until it is deployed and healthy")
    install.add_argument("--app", action="store_true", help="only the app (there is no more)")


def _add_repo(commands: parsing.Commands) -> None:
    repo = commands.group("repo", "where packages come from")
    listing = repo.add("list", _repo_list, "list the repositories, first in priority first")
    parsing.add_json(listing)
    add = repo.add("add", _repo_add, "add a repository")
    add.add_argument("name")
    add.add_argument("url")
    add.add_argument("--index", type=int, help="its place; 0 is the first (the last)")
    remove = repo.add("remove", _repo_remove, "remove repositories")
    remove.add_argument("name", nargs="+")


async def _search(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        found = await cluster.packages.search(args.query)
    if args.json:
        printing.json({"packages": found})
        return
    if not found:
        raise UserError("no packages found")
    printing.table(
        ["NAME", "VERSION", "CERTIFIED", "FRAMEWORK", "DESCRIPTION"],
        (
            [
                entry["name"],
                entry["currentVersion"],
                _truth(entry.get("selected")),
                _truth(entry.get("framework")),
                printing.shortened(entry["description"], 70),
            ]
            for entry in found
        ),
    )


def _truth(value: Any) -> str:
    return "true" if value else "false"


async def _describe(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        packages = cluster.packages
        if args.package_versions:
            printing.json(list(await packages.versions(args.name)))
        elif args.render:
            options = json_file(args.options) if args.options else None
            printing.json(
                await packages.render(args.name, args.package_version, options, args.app_id)
            )
        else:
            package = await packages.describe(args.name, args.package_version)
            _print_description(package, args)


def _print_description(package: Json, args: argparse.Namespace) -> None:
    if args.config:
        if "config" not in package:
            raise UserError(f"{package['name']} has no options")
        printing.json(package["config"])
    elif args.app:
        import base64

        template = package.get("marathon", {}).get("v2AppMustacheTemplate")
        if template is None:
            raise UserError(f"{package['name']} starts no app")
        print(base64.b64decode(template).decode())
    else:
        printing.json({"package": package})


async def _install(args: argparse.Namespace) -> int:
    options = json_file(args.options) if args.options else None
    async with connected() as cluster:
        package = await cluster.packages.describe(args.name, args.package_version)
        if notes := package.get("preInstallNotes"):
            printing.note(notes)
        if not printing.confirmed("Continue installing?", yes=args.yes):
            printing.note("nothing was installed")
            return 1
        version = package["version"]
        printing.note(f"Installing Marathon app for package [{args.name}] version [{version}]")
        done = await cluster.packages.install(args.name, args.package_version, options, args.app_id)
        app_id = done.get("appId")
        if args.wait and app_id:
            await waiting.until_deployed(cluster.marathon, app_id)
        if notes := done.get("postInstallNotes"):
            print(notes)
        if app_id and not args.wait:
            printing.note(f"\nIt is starting as {app_id}: dcos marathon app show {app_id}")
    return 0


async def _list(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        found = [] if args.cli else await cluster.packages.installed(args.name, args.app_id)
    merged = _merged(found)
    if args.json:
        printing.json(merged)
        return
    if not merged:
        raise UserError(
            "there are currently no installed packages; `dcos package search` finds some"
        )
    printing.table(
        ["NAME", "VERSION", "CERTIFIED", "APP", "COMMAND", "DESCRIPTION"],
        (
            [
                entry["name"],
                entry["version"],
                _truth(entry.get("selected")),
                " ".join(entry["apps"]),
                "---",
                printing.shortened(entry["description"], 60),
            ]
            for entry in merged
        ),
    )


def _merged(found: list[Json]) -> list[Json]:
    """Join the installations of one package and version, as the real CLI lists them."""
    merged: dict[tuple[str, str], Json] = {}
    for item in found:
        package = item["packageInformation"]["packageDefinition"]
        entry = merged.setdefault((package["name"], package["version"]), {**package, "apps": []})
        entry["apps"].append(item["appId"])
    return list(merged.values())


async def _uninstall(args: argparse.Namespace) -> int:
    what = args.app_id or args.name
    if not printing.confirmed(f"Uninstall {what} and lose what it keeps?", yes=args.yes):
        printing.note("nothing was removed")
        return 1
    async with connected() as cluster:
        removed = await cluster.packages.uninstall(args.name, args.app_id, every=args.all)
    for item in removed:
        version = item.get("packageVersion", "?")
        printing.note(f"Uninstalled package [{item['packageName']}] version [{version}]")
        if notes := item.get("postUninstallNotes"):
            print(notes)
    return 0


async def _repo_list(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        found = await cluster.packages.repositories()
    if args.json:
        printing.json({"repositories": found})
        return
    if not found:
        raise UserError("there are currently no repos configured: dcos package repo add NAME URL")
    printing.lines(f"{entry['name']}: {entry['uri']}" for entry in found)


async def _repo_add(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        await cluster.packages.add_repository(args.name, args.url, args.index)


async def _repo_remove(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        for name in args.name:
            await cluster.packages.remove_repository(name)
