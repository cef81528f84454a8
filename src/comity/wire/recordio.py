"""RecordIO, the framing of Mesos's v1 streams: ASCII length, newline, that many bytes.

Specified in Mesos's scheduler HTTP API. Chunk boundaries are independent of records.
"""

from comity.core.errors import ComityError

_LENGTH_DIGITS_MAX = 20


class RecordError(ComityError):
    """What came is not RecordIO; the stream cannot be read on."""


def encode(body: bytes) -> bytes:
    """Return one record."""
    return b"%d\n%b" % (len(body), body)


class Decoder:
    """Finds records in bytes that arrive in pieces of any size."""

    def __init__(self, record_size_max: int = 64 << 20) -> None:
        self._pending = b""
        self._record_size_max = record_size_max

    def feed(self, data: bytes) -> list[bytes]:
        """Return the records completed by `data`.

        Raises:
            RecordError: a length that is no number, or over the limit.
        """
        buffer = self._pending + data if self._pending else data
        records = []
        start = 0
        while True:
            newline = buffer.find(b"\n", start, start + _LENGTH_DIGITS_MAX + 1)
            if newline < 0:
                if len(buffer) - start > _LENGTH_DIGITS_MAX:
                    raise RecordError("a record's length is not a number")
                break
            end = newline + 1 + self._length(buffer[start:newline])
            if end > len(buffer):
                break
            records.append(buffer[newline + 1 : end])
            start = end
        self._pending = buffer[start:]
        return records

    def _length(self, digits: bytes) -> int:
        if not digits.isdigit():
            raise RecordError(f"a record's length is not a number: {digits!r}")
        length = int(digits)
        if length > self._record_size_max:
            raise RecordError(f"a record of {length} bytes is over {self._record_size_max}")
        return length
