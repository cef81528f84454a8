"""TLS settings from LIBPROCESS_SSL_*, and servers and clients that go by them."""

import asyncio
import ssl

import pytest
from cryptography.hazmat.primitives import serialization

from comity.core.errors import UserError
from comity.runtime import tls
from comity.runtime.http import Client, HttpError, Response, Server
from support.certificates import Authority


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "pki")


def settings(authority, name="server", **more):
    cert_file, key_file = authority.issue(name)
    environment = {
        "ENABLED": "true",
        "CERT_FILE": str(cert_file),
        "KEY_FILE": str(key_file),
        "CA_FILE": str(authority.ca_file),
        **more,
    }
    return tls.read({f"LIBPROCESS_SSL_{name}": value for name, value in environment.items()})


async def hello(request):
    return Response(200, b"hello\n", "text/plain")


async def ask(url, given=None):
    context = tls.client_context(given) if given is not None else None
    client = Client(ssl=context)
    try:
        return (await client.request("GET", url)).body
    finally:
        await client.close()


async def serve(given):
    server = Server(hello, security=given)
    _, port = await server.start("127.0.0.1", 0)
    return server, port


async def test_who_trusts_the_authority_is_answered(authority):
    given = settings(authority)
    server, port = await serve(given)
    assert await ask(f"https://127.0.0.1:{port}/", given) == b"hello\n"
    with pytest.raises(HttpError):
        await ask(f"http://127.0.0.1:{port}/")
    stranger = tls.read({})
    with pytest.raises(HttpError, match="certificate verify failed"):
        await ask(f"https://127.0.0.1:{port}/", stranger)
    careless = tls.read({"LIBPROCESS_SSL_VERIFY_SERVER_CERT": "false"})
    assert await ask(f"https://127.0.0.1:{port}/", careless) == b"hello\n"
    await server.stop()


async def test_downgrade_serves_both_on_one_port_and_bad_ones_hurt_nobody(authority):
    given = settings(authority, SUPPORT_DOWNGRADE="1")
    server, port = await serve(given)
    silent = await asyncio.open_connection("127.0.0.1", port)
    broken = await asyncio.open_connection("127.0.0.1", port)
    broken[1].write(b"\x16no handshake at all, however long it may be" * 20)
    for _ in range(3):
        assert await ask(f"https://127.0.0.1:{port}/", given) == b"hello\n"
        assert await ask(f"http://127.0.0.1:{port}/") == b"hello\n"
    for _, writer in (silent, broken):
        writer.close()
    await server.stop()


async def test_clients_must_show_a_certificate_when_asked(authority, tmp_path):
    given = settings(authority, REQUIRE_CLIENT_CERT="true")
    server, port = await serve(given)
    url = f"https://127.0.0.1:{port}/"
    assert await ask(url, given) == b"hello\n"
    without = given._replace(cert_file="", key_file="")
    with pytest.raises(HttpError):
        await ask(url, without)
    other = settings(Authority(tmp_path / "other", "another authority"), "stranger")
    with pytest.raises(HttpError):
        await ask(url, other._replace(ca_file=given.ca_file))
    await server.stop()


@pytest.mark.parametrize("said", [{}, {"VERIFY_IPADD": "true"}, {"VERIFY_IPADD": "false"}])
async def test_addresses_are_checked_whether_asked_for_or_not(authority, said):
    given = settings(authority, **said)  # its certificate is one for 127.0.0.1
    server = Server(hello, security=given)
    _, port = await server.start("127.0.0.2", 0)
    with pytest.raises(HttpError, match="IP address mismatch"):
        await ask(f"https://127.0.0.2:{port}/", given)
    await server.stop()


def test_versions_are_those_that_are_enabled(authority):
    context = tls.server_context(settings(authority, ENABLE_TLS_V1_3="false"))
    assert context.maximum_version is ssl.TLSVersion.TLSv1_2
    context = tls.server_context(settings(authority, ENABLE_TLS_V1_2="false"))
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3


BAD = [
    ({"ENABLED": "yes"}, "write true or false"),
    ({"ENABLED": "true"}, "needs LIBPROCESS_SSL_CERT_FILE"),
    ({"ENABLED": "1", "CERT_FILE": "/nowhere", "KEY_FILE": "/nowhere"}, "No such file"),
    ({"ENABLED": "1", "CERT_FILE": __file__, "KEY_FILE": __file__}, "cannot use the certificate"),
    ({"ENABLE_TLS_V1_2": "0", "ENABLE_TLS_V1_3": "0"}, "must be true"),
    ({"VERIFY_DEPTH": "4"}, "LIBPROCESS_SSL_VERIFY_DEPTH is not supported"),
    ({"ECDH_CURVES": "P-256"}, "LIBPROCESS_SSL_ECDH_CURVES is not supported"),
]


@pytest.mark.parametrize(("environment", "said"), BAD)
def test_what_is_wrong_is_said(environment, said):
    with pytest.raises(UserError, match=said):
        tls.server_context(
            tls.read({f"LIBPROCESS_SSL_{name}": value for name, value in environment.items()})
        )


def test_clients_that_nobody_can_check_are_not_asked_for_certificates(authority):
    given = settings(authority, REQUIRE_CLIENT_CERT="true", CA_FILE="")
    with pytest.raises(UserError, match="LIBPROCESS_SSL_CA_FILE"):
        tls.server_context(given)
    with pytest.raises(UserError, match="no such ciphers"):
        tls.server_context(settings(authority, CIPHERS="nonsense"))


def test_a_key_with_a_password_is_refused_and_nobody_is_asked(authority, tmp_path):
    cert_file, key_file = authority.issue("locked")
    key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"secret")
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    key_file.write_bytes(key.private_bytes(*form, locked))
    given = settings(authority, CERT_FILE=str(cert_file), KEY_FILE=str(key_file))
    for make in (tls.server_context, tls.client_context):
        with pytest.raises(UserError, match=r"locked\.key has a password"):
            make(given)


def test_the_old_names_count_where_they_enable_tls():
    old = {"SSL_ENABLED": "true", "SSL_CERT_FILE": "c", "SSL_KEY_FILE": "k", "SSL_CA_FILE": "a"}
    found = tls.read(old)
    assert (found.is_enabled, found.cert_file, found.ca_file) == (True, "c", "a")
    assert tls.handed_on(old, {})["LIBPROCESS_SSL_CA_FILE"] == "a"
    new = {"LIBPROCESS_SSL_ENABLED": "true", "LIBPROCESS_SSL_CERT_FILE": "n"}
    assert tls.read({**old, **new}).cert_file == "n"
    both = tls.read({"LIBPROCESS_SSL_ENABLED": "true", "SSL_REQUIRE_CERT": "true"})
    assert both.requires_clients
    assert tls.old_names({**old, **new, "SSL_CLIENT": "of others"}) == [
        "SSL_CA_FILE",
        "SSL_KEY_FILE",
    ]
    assert tls.old_names({"SSL_CA_FILE": "of others"}) == []
    with pytest.raises(UserError, match=r"^SSL_ENABLED is 'on'"):
        tls.read({"SSL_ENABLED": "on"})
    assert tls.read({"SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt"}).cert_file == ""


OWN = {"LIBPROCESS_SSL_CERT_FILE": "/x.pem", "LIBPROCESS_SSL_KEY_FILE": "/x.key"}


def test_executors_call_by_https_and_serve_tls_only_with_a_certificate_of_their_own():
    agents = {
        "LIBPROCESS_SSL_ENABLED": "true",
        "LIBPROCESS_SSL_CERT_FILE": "/agent.pem",
        "LIBPROCESS_SSL_KEY_FILE": "/agent.key",
        "LIBPROCESS_SSL_CA_FILE": "/ca.pem",
        "LIBPROCESS_SSL_REQUIRE_CERT": "true",
    }
    told = tls.handed_on(agents, {})
    assert told == {"COMITY_AGENT_SCHEME": "https", "LIBPROCESS_SSL_CA_FILE": "/ca.pem"}
    assert not tls.read(told).is_enabled  # what libprocess reads
    assert tls.agent_scheme(told) == "https"
    told = tls.handed_on(agents, {**OWN, "LIBPROCESS_SSL_CA_FILE": "/theirs.pem"})
    assert told["LIBPROCESS_SSL_ENABLED"] == "true"
    assert tls.read(told)[2:5] == ("/x.pem", "/x.key", "/theirs.pem")
    assert tls.handed_on({"LIBPROCESS_SSL_ENABLED": "false"}, OWN) == OWN
    assert tls.agent_scheme(OWN) == "http"
    # As with Mesos an operator can say it all.
    assert tls.agent_scheme({"LIBPROCESS_SSL_ENABLED": "1"}) == "https"


def test_an_agent_knows_when_its_executors_cannot_call_it(authority):
    asks = settings(authority, REQUIRE_CLIENT_CERT="true")
    assert tls.locks_executors_out(asks, {})
    assert tls.locks_executors_out(asks, {"LIBPROCESS_SSL_CERT_FILE": "/x"})
    assert not tls.locks_executors_out(asks, OWN)
    assert not tls.locks_executors_out(settings(authority), {})
