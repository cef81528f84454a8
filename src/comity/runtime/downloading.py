"""Where a URI leads: a file, HTTP, FTP, or what the machine's `hadoop` knows (Mesos: fetcher.cpp).

Runs on a thread, never on the loop.
"""

import base64
import shutil
import ssl
import subprocess
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

_TIMEOUT_S = 60
_BLOCK = 1 << 20


def download(value: str, target: Path) -> None:
    """Copy what a URI names into a file.

    Raises:
        OSError, ValueError: it cannot be had; the text says why.
    """
    parts = urlsplit(value)
    match parts.scheme:
        case "http" | "https":
            _over_http(parts, target)
        case "ftp" | "ftps":
            _over_ftp(parts, target)
        case "" | "file":
            _of_machine(parts, target)
        case _:
            _by_hadoop(value, parts.scheme, target)


def without_password(value: str) -> str:
    """Return a URI as it may be shown."""
    parts = urlsplit(value)
    place = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=place).geturl() if "@" in parts.netloc else value


def _over_http(parts: SplitResult, target: Path) -> None:
    import urllib.request  # 5 MB that an agent needs only when something is fetched

    request = urllib.request.Request(without_password(parts.geturl()))  # noqa: S310 - http(s) only
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        request.add_unredirected_header(
            "Authorization", "Basic " + base64.b64encode(login).decode()
        )
    with (
        urllib.request.urlopen(request, timeout=_TIMEOUT_S) as source,  # noqa: S310 - http(s) only
        target.open("wb") as file,
    ):
        shutil.copyfileobj(source, file, _BLOCK)


def _over_ftp(parts: SplitResult, target: Path) -> None:
    import ftplib  # as rarely needed

    context = ssl.create_default_context()
    session = ftplib.FTP_TLS(context=context) if parts.scheme == "ftps" else ftplib.FTP()  # noqa: S321 - asked for
    path = unquote(parts.path).lstrip("/")
    if "\r" in path or "\n" in path:
        raise ValueError("a path has one line")
    try:
        with session, target.open("wb") as file:
            session.connect(parts.hostname or "", parts.port or 21, timeout=_TIMEOUT_S)
            session.login(unquote(parts.username or ""), unquote(parts.password or ""))
            if isinstance(session, ftplib.FTP_TLS):
                session.prot_p()
            session.retrbinary(f"RETR {path}", file.write, _BLOCK)
    except ftplib.Error as error:
        raise ValueError(f"the server said {error}") from error


def _of_machine(parts: SplitResult, target: Path) -> None:
    path = unquote(parts.path)
    if not path.startswith("/"):
        raise ValueError("a local path must be absolute")
    shutil.copyfile(path, target)
    shutil.copymode(path, target)


def _by_hadoop(value: str, scheme: str, target: Path) -> None:
    """Let the hadoop client copy a file, for hdfs:// and whatever else it was made to know."""
    client = shutil.which("hadoop")
    if client is None:
        raise ValueError(
            f"scheme '{scheme}' is not supported: use file, http, https, ftp or ftps, "
            "or put `hadoop` in the agent's PATH"
        )
    done = subprocess.run(
        [client, "fs", "-copyToLocal", value, str(target)], capture_output=True, check=False
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise ValueError(f"hadoop ended with {done.returncode}: {said[-500:]}")
