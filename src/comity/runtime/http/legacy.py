"""Manners of Mesos's legacy endpoints, shared by master and agent: prefixes, JSONP, files.

Every path is served with and without the process name in front (`/state`, `/master/state`), with
or without a trailing slash; every GET takes `?jsonp=callback`.
"""

import re
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from comity.runtime.files import BadRead, Entry, Files, NoSuchFile
from comity.runtime.http.messages import Request, Response
from comity.runtime.http.router import Router
from comity.wire.mesos import codec, operator
from comity.wire.mesos.base import TimeInfo
from comity.wire.mesos.responses import FileInfo

_CALLBACK = re.compile(r"[\w$.\[\]]{1,200}", re.ASCII)
_encoder = msgspec.json.Encoder()


def strip_prefix(request: Request, name: str) -> None:
    """Make `/name/x/` mean `/x`, in place."""
    path = request.path
    if "//" in path:
        path = "/" + "/".join(part for part in path.split("/") if part)
    if path == f"/{name}" or path.startswith(f"/{name}/"):
        path = path[len(name) + 1 :]
    request.path = path.rstrip("/") or "/"


def shorten(request: Request, router: Router) -> None:
    """Make a path below a known one mean that one, in place, as libprocess finds its handlers."""
    path = request.path
    while path and not router.knows(path):
        path = path.rpartition("/")[0]
    request.path = path or request.path


def form_of(request: Request) -> dict[str, str]:
    """Return the fields of a form-encoded body; of equal names the last counts."""
    return dict(parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True))


def is_callback(name: str) -> bool:
    """Whether `?jsonp=` may name this function."""
    return _CALLBACK.fullmatch(name) is not None


def document(request: Request, content: Any) -> Response:
    """Return JSON, or a call of the function that `?jsonp=` names."""
    body = _encoder.encode(content)
    callback = request.arg("jsonp")
    if callback is None:
        return Response(200, body)
    if not is_callback(callback):
        return Response(400, b"'jsonp' is not the name of a function.\n", "text/plain")
    return Response(200, b"%b(%b);" % (callback.encode(), body), "text/javascript")


def text(status: int, sentence: str) -> Response:
    """Return a sentence as plain text."""
    return Response(status, f"{sentence}\n".encode(), "text/plain; charset=utf-8")


def answer_file_call(files: Files, call: operator.ListFiles | operator.ReadFile) -> Response:
    """Answer the operator API's calls about files."""
    try:
        if isinstance(call, operator.ListFiles):
            entries = [_file_info(entry) for entry in files.browse(call.list_files.path)]
            shown: dict[str, Any] = {"list_files": {"file_infos": entries}}
            return Response(200, codec.encode({"type": "LIST_FILES", **shown}))
        body = call.read_file
        data, _ = files.read(body.path, body.offset, body.length)
        _, size = files.read(body.path, -1, None)
        shown = {"read_file": {"data": data, "size": size}}
        return Response(200, codec.encode({"type": "READ_FILE", **shown}))
    except NoSuchFile as error:
        return text(404, f"no such file: {error}")
    except BadRead as error:
        return text(400, str(error))


def _file_info(entry: Entry) -> FileInfo:
    """Describe a file as LIST_FILES does, which is not as /files/browse does."""
    return FileInfo(
        path=entry.path,
        nlink=entry.found.st_nlink,
        size=entry.found.st_size,
        mtime=TimeInfo(nanoseconds=int(entry.found.st_mtime) * 1_000_000_000),
        mode=entry.found.st_mode,
        uid=entry.owner,
        gid=entry.group,
    )


def add_file_routes(router: Router, files: Files) -> None:
    """Serve /files/{browse,read,download,debug}."""

    async def browse(request: Request) -> Response:
        path = request.arg("path")
        if not path:
            return text(400, "Expecting 'path=value' in query.")
        try:
            return document(request, [entry.document() for entry in files.browse(path)])
        except NoSuchFile:
            return text(404, "No such file or directory.")

    async def read(request: Request) -> Response:
        path = request.arg("path")
        if not path:
            return text(400, "Expecting 'path=value' in query.")
        try:
            offset = int(request.arg("offset") or -1)
            length = request.arg("length")
            data, at = files.read(path, offset, int(length) if length else None)
        except NoSuchFile:
            return text(404, "No such file or directory.")
        except (ValueError, BadRead) as error:
            return text(400, f"Failed to read: {error}.")
        return document(request, {"data": data.decode(errors="replace"), "offset": at})

    async def download(request: Request) -> Response:
        path = request.arg("path")
        if not path:
            return text(400, "Expecting 'path=value' in query.")
        try:
            real = files.resolve(path)
            if not real.is_file():
                raise NoSuchFile(path)
            name = real.name.replace('"', "")
            disposition = (("Content-Disposition", f'attachment; filename="{name}"'),)
            return Response(200, real.read_bytes(), "application/octet-stream", disposition)
        except NoSuchFile:
            return text(404, "No such file or directory.")

    async def debug(request: Request) -> Response:
        return document(request, files.attached())

    named = {"browse": browse, "read": read, "download": download, "debug": debug}
    for name, handler in named.items():
        router.add("GET", f"/files/{name}", handler)
        router.add("GET", f"/files/{name}.json", handler)  # as the DC/OS CLI up to 0.6 asks
