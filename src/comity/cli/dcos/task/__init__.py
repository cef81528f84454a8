"""`dcos task`: everything that runs, their logs and files, and commands in their containers.

Marathon's tasks, Kubernetes pods and the tasks of any other framework are one list: the master's.
"""

import argparse

from comity.cli.dcos import parsing
from comity.cli.dcos.task import files, listing, sessions

completed = parsing.or_list(("list", "log", "ls", "exec", "attach"))


def parser() -> argparse.ArgumentParser:
    """Return the group's parser."""
    commands = parsing.top(
        "task",
        "everything that runs, their logs and files",
        examples="""
        dcos task
        dcos task web --json
        dcos task log web
        dcos task log --follow --lines 100 web stderr
        dcos task ls web
        dcos task exec -it web -- sh
        """,
    )
    listing.add_to(commands)
    files.add_to(commands)
    sessions.add_to(commands)
    return commands.parser
