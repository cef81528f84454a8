"""Sessions in containers over HTTP by hand."""

import asyncio
import base64
import json
from urllib.parse import urlsplit

RECORDIO = "application/recordio"
JSON = "application/json"


class Http:
    """One connection that speaks HTTP by hand."""

    def __init__(self, url):
        self.address = urlsplit(url)

    async def open(self, **headers):
        self.reader, self.writer = await asyncio.open_connection(
            self.address.hostname, self.address.port
        )
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        head = ["POST /slave(1)/api/v1 HTTP/1.1", "Host: x"]
        head += [f"{name}: {value}" for name, value in names.items()]
        self.writer.write("\r\n".join([*head, "", ""]).encode())

    async def ask(self, body, **headers):
        data = json.dumps(body).encode()
        await self.open(Content_Type=JSON, Content_Length=len(data), **headers)
        self.writer.write(data)
        return await self.answer()

    async def answer(self):
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 30)).decode()
        lines = head.split("\r\n")
        self.headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        return int(lines[0].split()[1])

    async def body(self):
        return await self.reader.readexactly(int(self.headers["content-length"]))

    async def chunk(self):
        size = int(await asyncio.wait_for(self.reader.readline(), 30), 16)
        data = await self.reader.readexactly(size)
        await self.reader.readexactly(2)
        return data

    def send(self, data):
        self.writer.write(b"%x\r\n%b\r\n" % (len(data), data))

    async def records(self):
        """Yield the messages of an endless answer, until its end."""
        held = b""
        while piece := await self.chunk():
            held += piece
            while b"\n" in held:
                size, rest = held.split(b"\n", 1)
                if len(rest) < int(size):
                    break
                yield json.loads(rest[: int(size)])
                held = rest[int(size) :]

    async def output(self):
        """Return all that comes, by stream."""
        found = {"STDOUT": b"", "STDERR": b""}
        async for message in self.records():
            if message["type"] == "DATA":
                found[message["data"]["type"]] += base64.b64decode(message["data"]["data"])
        return found

    def close(self):
        self.writer.close()


def inner(task, name="s"):
    return {"value": name, "parent": {"value": task}}


def session(task, command, name="s", tty=None):
    body = {"container_id": inner(task, name), "command": {"value": command}}
    if tty is not None:
        size = {"rows": tty[0], "columns": tty[1]}
        body["container"] = {"type": "MESOS", "tty_info": {"window_size": size}}
    kind = "LAUNCH_NESTED_CONTAINER_SESSION"
    return {"type": kind, kind.lower(): body}


def record(body):
    data = json.dumps({"type": "ATTACH_CONTAINER_INPUT", "attach_container_input": body}).encode()
    return b"%d\n%b" % (len(data), data)


def whose(task, name="s"):
    return record({"type": "CONTAINER_ID", "container_id": inner(task, name)})


def stdin(data):
    body = {"type": "STDIN", "data": base64.b64encode(data).decode()}
    return record({"type": "PROCESS_IO", "process_io": {"type": "DATA", "data": body}})


async def attach_input(connection):
    await connection.open(
        Content_Type=RECORDIO, Message_Content_Type=JSON, Transfer_Encoding="chunked"
    )
