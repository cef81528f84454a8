"""Fault domains as operators write them: JSON, as Mesos's flag `--domain` takes it."""

from comity.wire.mesos import codec, v1


def parse(text: str) -> v1.DomainInfo:
    """Return the domain that JSON text describes.

    Raises:
        ValueError: it describes none.
    """
    try:
        domain: v1.DomainInfo = codec.decode(v1.DomainInfo, text.encode())
    except codec.DecodeFailed as error:
        raise ValueError(str(error)) from error
    if domain.fault_domain is None:
        raise ValueError(
            'a domain is written as {"fault_domain": {"region": {"name": "eu"}, '
            '"zone": {"name": "a"}}}'
        )
    return domain
