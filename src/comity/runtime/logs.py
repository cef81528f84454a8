"""One-line logs on stderr: time, level, component, sentence, fields.

Machines do not log. Shells log what happened once, with the values as fields. Secrets are never
fields: log who, not what they know.
"""

import logging
import sys


def configure(component: str, *, verbose: bool = False) -> None:
    """Send this process's log lines to stderr, marked with the component's name."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        logging.Formatter(
            f"%(asctime)s.%(msecs)03d %(levelname).1s {component} %(name)s: %(message)s",
            datefmt="%Y-%m-%dT%H:%M:%S",
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    set_verbose(verbose)


def set_verbose(verbose: bool) -> None:
    """Log details, too, or not."""
    logging.getLogger().setLevel(logging.DEBUG if verbose else logging.INFO)


def ready(url: str) -> None:
    """Say the one line that supervisors and people wait for."""
    sys.stderr.write(f"ready {url}\n")
    sys.stderr.flush()
