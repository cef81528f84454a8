"""Runs the programs that change the firewall."""

import subprocess

_TIMEOUT_S = 30


def run(*argv: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    """Run a program to its end; one that hangs or is not there has failed."""
    try:
        return subprocess.run(
            argv, input=given, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        said = f"{argv[0]} did not end within {_TIMEOUT_S} s"
    except OSError as error:
        said = f"{argv[0]}: {error.strerror}"
    return subprocess.CompletedProcess(argv, 1, "", said)


def fault_of(done: "subprocess.CompletedProcess[str]") -> str:
    """Return what a program said of its failure: what follows the first line is advice."""
    lines = [line for line in done.stderr.splitlines() if line.strip() and line[0] != "#"]
    return lines[0] if lines else f"exit status {done.returncode}"
