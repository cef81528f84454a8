"""JSON in ASCII only, so that a client may count characters for bytes."""


def escaped(data: bytes) -> bytes:
    """Write every character beyond ASCII as a JSON escape; those occur inside strings only."""
    if data.isascii():
        return data
    parts = []
    for character in data.decode():
        code = ord(character)
        if code < 0x80:
            parts.append(character)
        elif code < 0x10000:
            parts.append(f"\\u{code:04x}")
        else:
            high, low = divmod(code - 0x10000, 0x400)
            parts.append(f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}")
    return "".join(parts).encode()
