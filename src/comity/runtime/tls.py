"""TLS as an operator of Mesos sets it up: by `LIBPROCESS_SSL_*` in the environment (docs/ssl.md).

What differs on purpose: servers' certificates are verified unless LIBPROCESS_SSL_VERIFY_SERVER_CERT
is false. Settings are read once, when first asked for; a process without them speaks plain HTTP.
"""

import functools
import logging
import os
import ssl
from collections.abc import Mapping
from typing import NamedTuple

from comity.core.errors import UserError

_log = logging.getLogger(__name__)
PREFIX = "LIBPROCESS_SSL_"
_PREFIX_BEFORE = "SSL_"
"""What the same was called before Mesos 1.0, and may still be (openssl.cpp, `reinitialize`)."""
_REFUSED = {
    "VERIFY_DEPTH": "chains of certificates may have any length here",
    "ECDH_CURVES": "OpenSSL chooses among its curves here",
}
_KNOWN = (
    *("ENABLED", "SUPPORT_DOWNGRADE", "CERT_FILE", "KEY_FILE", "CA_FILE", "CA_DIR", "CIPHERS"),
    *("VERIFY_SERVER_CERT", "VERIFY_CERT", "REQUIRE_CLIENT_CERT", "REQUIRE_CERT"),
    *("ENABLE_TLS_V1_2", "ENABLE_TLS_V1_3"),
)
_WORDS = {"1": True, "true": True, "0": False, "false": False}
_HANDED_ON = ("CA_FILE", "CA_DIR", "VERIFY_SERVER_CERT")
_SHOWN = (PREFIX + "CERT_FILE", PREFIX + "KEY_FILE")
_AGENT_SCHEME = "COMITY_AGENT_SCHEME"
"""How an executor of ours calls its agent. LIBPROCESS_SSL_ENABLED says more: those with libprocess
in them would serve TLS themselves, and exit for want of a certificate and a key (openssl.cpp)."""


class Settings(NamedTuple):
    """What the environment says."""

    is_enabled: bool = False
    """Whether this process serves TLS."""
    is_plain_too: bool = False
    """Whether it serves plain HTTP on the same port as well (SUPPORT_DOWNGRADE)."""
    cert_file: str = ""
    key_file: str = ""
    ca_file: str = ""
    ca_dir: str = ""
    verifies_servers: bool = True
    requires_clients: bool = False
    """Whether who calls must show a certificate."""
    ciphers: str = ""
    has_tls_1_2: bool = True
    has_tls_1_3: bool = True

    @property
    def scheme(self) -> str:
        """Return how the cluster's own components are called: as this one is."""
        return "https" if self.is_enabled else "http"


def read(environment: Mapping[str, str]) -> Settings:
    """Return the settings of an environment.

    Raises:
        UserError: one of them cannot be.
    """
    variables = _variables(environment)

    def flag(name: str, default: bool) -> bool:
        if name not in variables:
            return default
        written = environment[variables[name]]
        if written.lower() not in _WORDS:
            raise UserError(f"{variables[name]} is {written!r}; write true or false")
        return _WORDS[written.lower()]

    def text(name: str) -> str:
        return environment[variables[name]] if name in variables else ""

    for name, why in _REFUSED.items():
        if text(name) not in ("", "auto"):
            raise UserError(f"{variables[name]} is not supported: {why}; unset it")
    found = Settings(
        is_enabled=flag("ENABLED", default=False),
        is_plain_too=flag("SUPPORT_DOWNGRADE", default=False),
        cert_file=text("CERT_FILE"),
        key_file=text("KEY_FILE"),
        ca_file=text("CA_FILE"),
        ca_dir=text("CA_DIR"),
        verifies_servers=flag("VERIFY_SERVER_CERT", default=flag("VERIFY_CERT", default=True)),
        requires_clients=flag("REQUIRE_CLIENT_CERT", default=flag("REQUIRE_CERT", default=False)),
        ciphers=text("CIPHERS"),
        has_tls_1_2=flag("ENABLE_TLS_V1_2", default=True),
        has_tls_1_3=flag("ENABLE_TLS_V1_3", default=True),
    )
    if not (found.has_tls_1_2 or found.has_tls_1_3):
        raise UserError(f"{PREFIX}ENABLE_TLS_V1_2 or {PREFIX}ENABLE_TLS_V1_3 must be true")
    return found


def _variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return which variable says each setting: its own, or else the one of its old name.

    Old names are others' as well, so they count only where TLS is said to be on or off. And
    SSL_CERT_FILE without a key is OpenSSL's: the authorities of the machine.
    """
    own = {name.removeprefix(PREFIX): name for name in environment if name.startswith(PREFIX)}
    old = {
        name.removeprefix(_PREFIX_BEFORE): name
        for name in environment
        if name.startswith(_PREFIX_BEFORE)
    }
    if "KEY_FILE" not in old:
        old.pop("CERT_FILE", None)
    return {**old, **own} if "ENABLED" in own or "ENABLED" in old else own


def old_names(environment: Mapping[str, str]) -> list[str]:
    """Return the variables of before Mesos 1.0 that say something in an environment."""
    known = {*_KNOWN, *_REFUSED}
    said = _variables(environment)
    return sorted(v for name, v in said.items() if name in known and not v.startswith(PREFIX))


@functools.cache
def settings() -> Settings:
    """Return the settings of this process."""
    for name in old_names(os.environ):
        _log.warning("%s is an old name: write LIBPROCESS_%s", name, name)
    return read(os.environ)


def server_context(given: Settings) -> ssl.SSLContext | None:
    """Return what some settings say to serve with; None when it is plain HTTP.

    Raises:
        UserError: a file cannot be read, or is not what it should be.
    """
    if not given.is_enabled:
        return None
    if not (given.cert_file and given.key_file):
        raise UserError(
            f"{PREFIX}ENABLED needs {PREFIX}CERT_FILE and {PREFIX}KEY_FILE: "
            "the PEM files of this process's certificate and key"
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _restrict(context, given)
    _show(context, given)
    if given.requires_clients:
        context.verify_mode = ssl.CERT_REQUIRED
        _trust(context, given)
    return context


@functools.cache
def calling() -> ssl.SSLContext:
    """Return what to call https URLs with, when the caller knows nothing better."""
    return client_context(settings())


def client_context(given: Settings) -> ssl.SSLContext:
    """Return what some settings say to call with.

    Raises:
        UserError: a file cannot be read, or is not what it should be.
    """
    context = ssl.create_default_context()
    _restrict(context, given)
    if not given.verifies_servers:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif given.ca_file or given.ca_dir:
        _trust(context, given)
    if given.cert_file and given.key_file:
        _show(context, given)
    return context


def _show(context: ssl.SSLContext, given: Settings) -> None:
    def no_password() -> str:
        # Without this OpenSSL asks the terminal, and waits.
        raise UserError(
            f"the key {given.key_file} has a password, and nobody to ask for it: write it without "
            f"(openssl pkey -in {given.key_file} -out FILE), readable by its owner only"
        )

    try:
        context.load_cert_chain(given.cert_file, given.key_file, no_password)
    except (OSError, ssl.SSLError) as error:
        raise UserError(
            f"cannot use the certificate {given.cert_file} with the key {given.key_file}: "
            f"{error.strerror or error}"
        ) from error


def _restrict(context: ssl.SSLContext, given: Settings) -> None:
    context.minimum_version = (
        ssl.TLSVersion.TLSv1_2 if given.has_tls_1_2 else ssl.TLSVersion.TLSv1_3
    )
    if not given.has_tls_1_3:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if given.ciphers:
        try:
            context.set_ciphers(given.ciphers)
        except ssl.SSLError as error:
            raise UserError(f"{PREFIX}CIPHERS: no such ciphers: {given.ciphers!r}") from error


def _trust(context: ssl.SSLContext, given: Settings) -> None:
    try:
        context.load_verify_locations(given.ca_file or None, given.ca_dir or None)
    except (OSError, ssl.SSLError, TypeError) as error:
        what = given.ca_file or given.ca_dir or f"nothing: set {PREFIX}CA_FILE"
        raise UserError(
            f"cannot trust {what}: {getattr(error, 'strerror', '') or error}"
        ) from error


def handed_on(environment: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Return what executors are told: what they need to call an agent with TLS, and what is given.

    Mesos hands on nothing but what is given; LIBPROCESS_SSL_ENABLED goes with a certificate only.
    """
    variables = _variables(environment)
    told = {PREFIX + name: environment[variables[name]] for name in _HANDED_ON if name in variables}
    if read(environment).is_enabled:
        told[_AGENT_SCHEME] = "https"
        if _has_certificate(given):
            told[PREFIX + "ENABLED"] = "true"
    return {**told, **given}


def agent_scheme(environment: Mapping[str, str]) -> str:
    """Return how an executor with this environment calls its agent: by http or https."""
    return environment.get(_AGENT_SCHEME) or read(environment).scheme


def locks_executors_out(given: Settings, environment: Mapping[str, str]) -> bool:
    """Whether an agent asks for certificates that executors with this environment do not have."""
    return given.is_enabled and given.requires_clients and not _has_certificate(environment)


def _has_certificate(environment: Mapping[str, str]) -> bool:
    return all(environment.get(name) for name in _SHOWN)
