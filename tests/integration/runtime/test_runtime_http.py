"""The HTTP stack over real sockets: a server of ours, spoken to by raw bytes and by our client."""

import asyncio
import base64
import json

import pytest

from comity.core.errors import UserError
from comity.runtime.http import Client, HttpError, Request, Response, Router, Server, Stream
from comity.runtime.http.credentials import authenticator, own_headers
from comity.runtime.http.pipeline import Pipeline


async def echo(request: Request) -> Response:
    body = json.dumps(
        {
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "body": request.body.decode(),
        }
    )
    return Response(200, body.encode())


@pytest.fixture
async def serve():
    servers = []

    async def start(handler, **options):
        server = Server(handler, **options)
        host, port = await server.start("127.0.0.1", 0)
        servers.append(server)
        return f"http://{host}:{port}"

    yield start
    for server in servers:
        await server.stop()


@pytest.fixture
async def client():
    client = Client()
    yield client
    await client.close()


async def raw(url: str, data: bytes, *, half_close: bool = True) -> bytes:
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(data)
    if half_close:
        writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_a_call_and_its_answer(serve, client):
    url = await serve(echo)
    answer = await client.request("POST", f"{url}/a%20b?x=1&x=2&flag", b"hello")
    assert answer.status == 200
    assert json.loads(answer.body) == {
        "method": "POST",
        "path": "/a b",
        "query": {"x": ["1", "2"], "flag": [""]},
        "body": "hello",
    }


async def test_pipelined_requests_are_answered_in_order(serve):
    async def slow_first(request: Request) -> Response:
        if request.path == "/0":
            await asyncio.sleep(0)
        return Response(200, request.path.encode(), "text/plain")

    url = await serve(slow_first)
    data = b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % n for n in range(200))
    answer = await raw(url, data)
    bodies = [part.split(b"\r\n\r\n", 1)[1] for part in answer.split(b"HTTP/1.1 200 OK\r\n")[1:]]
    assert bodies == [b"/%d" % n for n in range(200)]


async def test_chunked_bodies_and_expect_continue(serve):
    url = await serve(echo)
    answer = await raw(
        url,
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
        b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    )
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
    assert b'"body": "abcde"' in answer


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_an_oversized_body_is_413(serve, client, framing):
    url = await serve(echo, max_body=10)
    if framing == "length":
        assert (await client.request("POST", url, b"x" * 11)).status == 413
    else:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert (await raw(url, head + b"b\r\n" + b"x" * 11 + b"\r\n0\r\n\r\n")).startswith(
            b"HTTP/1.1 413"
        )
    assert (await client.request("POST", url, b"x" * 10)).status == 200


async def test_malformed_http_is_400_and_the_server_lives(serve, client):
    url = await serve(echo)
    assert (await raw(url, b"\x00\x01garbage\r\n\r\n")).startswith(b"HTTP/1.1 400")
    assert (await client.request("GET", url)).status == 200


async def test_connection_close_is_honoured_also_on_streams(serve):
    async def two_records(request: Request) -> Stream:
        stream = Stream("text/plain")
        stream.send(b"one")
        stream.send(b"two")
        asyncio.get_running_loop().call_soon(stream.close)
        return stream

    url = await serve(two_records)
    answer = await raw(
        url, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", half_close=False
    )
    assert b"Transfer-Encoding: chunked" in answer
    assert answer.endswith(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")


async def test_the_client_reads_a_stream_as_it_comes(serve, client):
    stream = Stream("application/json")

    async def handler(request: Request) -> Stream:
        return stream

    url = await serve(handler)
    async with client.stream("GET", url) as answer:
        assert answer.status == 200
        pieces = aiter(answer)
        stream.send(b"first")
        assert await anext(pieces) == b"first"
        stream.send(b"second")
        assert await anext(pieces) == b"second"
        stream.close()
        with pytest.raises(StopAsyncIteration):
            await anext(pieces)


async def test_the_server_learns_that_a_stream_reader_left(serve, client):
    gone = asyncio.Event()

    async def handler(request: Request) -> Stream:
        stream = Stream()
        stream.on_close(gone.set)
        return stream

    url = await serve(handler)
    async with client.stream("GET", url):
        assert not gone.is_set()
    await asyncio.wait_for(gone.wait(), 5)


async def test_a_reader_that_lags_is_cut(serve):
    stream = Stream(high_water=1 << 16)

    async def handler(request: Request) -> Stream:
        return stream

    url = await serve(handler)
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readexactly(1)
    for _ in range(1000):
        if not stream.send(b"x" * (1 << 16)):
            break
        await asyncio.sleep(0)
    assert stream.closed
    writer.close()


async def test_a_kept_connection_that_the_server_closed_is_replaced(serve, client):
    first = Server(echo)
    host, port = await first.start("127.0.0.1", 0)
    assert (await client.request("GET", f"http://{host}:{port}/")).status == 200
    await first.stop()
    second = Server(echo)
    await second.start(host, port)
    assert (await client.request("GET", f"http://{host}:{port}/")).status == 200
    await second.stop()


async def test_no_server_is_an_error_that_names_it(client):
    with pytest.raises(HttpError, match=r"cannot connect to 127\.0\.0\.1:1"):
        await client.request("GET", "http://127.0.0.1:1/")


async def test_routes(serve, client):
    router = Router()

    async def show(request: Request, id: str) -> Response:
        return Response(200, id.encode(), "text/plain")

    router.add("GET", "/apps/{id:path}", show)
    router.add("GET", "/one/{id}", show)
    url = await serve(router.handle)
    assert (await client.request("GET", f"{url}/apps/a/b")).body == b"a/b"
    assert (await client.request("GET", f"{url}/one/a/b")).status == 404
    refused = await client.request("POST", f"{url}/one/a")
    assert (refused.status, refused.header("allow")) == (405, "GET")
    assert (await client.request("HEAD", f"{url}/one/abc")).header("content-length") == "3"


async def test_a_handler_that_raises_is_500_without_details(serve, client, caplog):
    async def broken(request: Request) -> Response:
        raise KeyError("secret")

    url = await serve(broken)
    answer = await client.request("GET", url)
    assert answer.status == 500
    assert b"secret" not in answer.body
    assert "handler failed for GET /" in caplog.text


async def test_beyond_loopback_needs_authentication():
    with pytest.raises(UserError, match="without authentication"):
        await Server(echo).start("0.0.0.0", 0)


async def test_a_port_in_use_is_named(serve):
    url = await serve(echo)
    port = int(url.rsplit(":", 1)[1])
    with pytest.raises(UserError, match=f"cannot listen on 127.0.0.1:{port}"):
        await Server(echo).start("127.0.0.1", port)


async def test_basic_credentials(serve, client, tmp_path):
    known = tmp_path / "credentials.json"
    known.write_text('{"credentials": [{"principal": "ops", "secret": "s3"}]}')
    own = tmp_path / "credential.json"
    own.write_text('{"principal": "ops", "secret": "s3"}')

    async def who(request: Request) -> Response:
        return Response(200, (request.principal or "").encode(), "text/plain")

    url = await serve(who, authenticate=authenticator(known, "test"))
    refused = await client.request("GET", url)
    assert (refused.status, refused.header("www-authenticate")) == (401, 'Basic realm="test"')
    assert (await client.request("GET", url, headers=own_headers(own))).body == b"ops"
    wrong = base64.b64encode(b"ops:no").decode()
    assert (
        await client.request("GET", url, headers=(("Authorization", f"Basic {wrong}"),))
    ).status == 401


async def test_pipelined_calls_keep_their_order(serve):
    seen = []

    async def note(request: Request) -> Response:
        seen.append(request.body)
        return Response(202 if request.body != b"7" else 400, request.body, "text/plain")

    url = await serve(note)
    host, port = url.removeprefix("http://").split(":")
    pipeline = await Pipeline.connect(host, int(port))
    answers = await asyncio.gather(*(pipeline.post("/x", b"%d" % n) for n in range(300)))
    assert seen == [b"%d" % n for n in range(300)]
    assert [answer.body for answer in answers] == seen
    assert [answer.status for answer in answers].count(400) == 1
    pipeline.close()


async def test_calls_in_flight_fail_when_the_connection_breaks(serve):
    held = asyncio.Event()

    async def never(request: Request) -> Response:
        await held.wait()
        return Response()

    url = await serve(never)
    host, port = url.removeprefix("http://").split(":")
    pipeline = await Pipeline.connect(host, int(port))
    answer = pipeline.post("/x", b"1")
    pipeline.close()
    with pytest.raises(HttpError, match="closed the connection"):
        await answer
    assert not pipeline.is_open
    with pytest.raises(HttpError, match="is closed"):
        await pipeline.post("/x", b"2")
    held.set()


async def test_a_body_that_is_read_as_it_comes_ends_with_its_sender(serve):
    seen, ends = [], asyncio.Queue()

    async def read(request: Request) -> Response:
        seen.extend([piece async for piece in request.feed])
        ends.put_nowait(request.feed.is_whole)
        return Response(200, b"")

    url = await serve(read)
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/recordio\r\n"
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n"
    async with asyncio.timeout(30):
        await raw(url, chunked)
        assert (seen, await ends.get()) == ([b"one"], False)
        await raw(url, chunked + b"0\r\n\r\n")
        assert (seen, await ends.get()) == ([b"one", b"one"], True)
