"""Small blocking HTTP reads, for a supervisor that must stay lean."""

import json
import socket
from typing import Any

from comity.cli.cluster.addresses import Address


def get(address: Address, path: str, timeout_s: float = 2.0) -> tuple[int, bytes]:
    """GET a path; raises OSError when nobody answers properly in time."""
    request = f"GET {path} HTTP/1.0\r\nHost: {address.ip}:{address.port}\r\n\r\n"
    with socket.create_connection(address, timeout=timeout_s) as connection:
        connection.sendall(request.encode())
        chunks = []
        while chunk := connection.recv(65536):
            chunks.append(chunk)
    head, separator, body = b"".join(chunks).partition(b"\r\n\r\n")
    words = head.split(None, 2)
    if not separator or len(words) < 2 or not words[1].isdigit():
        raise ConnectionError(f"{address.url}{path} gave no HTTP answer")
    return int(words[1]), body


def get_json(address: Address, path: str, timeout_s: float = 2.0) -> Any:
    """GET a JSON document; raises OSError when it is not to be had."""
    status, body = get(address, path, timeout_s)
    if status != 200:
        raise ConnectionError(f"{address.url}{path} answered {status}")
    try:
        return json.loads(body)
    except ValueError as error:
        raise ConnectionError(f"{address.url}{path} answered no JSON") from error
