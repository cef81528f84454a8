"""The API server's own authority: certificates and tokens, made once, kept in the data directory.

Files are readable by their owner only. Tokens are known by the principal whose they are; the
admin's is in the kubeconfig.
"""

import base64
import datetime
import ipaddress
import json
import os
import secrets
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

_LIFE = datetime.timedelta(days=3650)
PRINCIPALS = ("admin", "system:kube-controller-manager", "system:kube-scheduler", "system:nodes")
_KUBELET = "kubelet"


class Keys(Struct, frozen=True):
    """What the API server proves itself by, and what callers do."""

    ca_pem: str
    certificate: Path
    key: Path
    tokens: dict[str, str]
    """Token by principal."""
    kubelet_token: str
    """What the API server shows to kubelets."""


def ensure(directory: Path, addresses: list[str]) -> Keys:
    """Return the directory's keys, making what is missing."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    ca_path, ca_key_path = directory / "ca.crt", directory / "ca.key"
    if not ca_path.exists():
        _make_authority(ca_path, ca_key_path)
    certificate, key = directory / "apiserver.crt", directory / "apiserver.key"
    names = directory / "apiserver.names"
    wanted = json.dumps(sorted(addresses))
    if not certificate.exists() or not names.exists() or names.read_text() != wanted:
        _make_certificate(ca_path, ca_key_path, certificate, key, addresses)
        _write(names, wanted.encode())
    held = _tokens(directory / "tokens.json")
    tokens = {name: token for name, token in held.items() if name != _KUBELET}
    return Keys(ca_path.read_text(), certificate, key, tokens, held[_KUBELET])


def _tokens(path: Path) -> dict[str, str]:
    held: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    missing = [name for name in (*PRINCIPALS, _KUBELET) if name not in held]
    if missing:
        held |= {name: secrets.token_urlsafe(32) for name in missing}
        _write(path, json.dumps(held).encode())
    return held


def _write(path: Path, data: bytes) -> None:
    draft = path.with_name(path.name + ".new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.fromtimestamp(time.time(), datetime.UTC)
    begin = now - datetime.timedelta(hours=1)  # clients whose clocks are behind
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + _LIFE)
    )


def _make_authority(path: Path, key_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("comity-kubernetes-ca")
    certificate = (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write(key_path, _private(key))
    _write(path, certificate.public_bytes(serialization.Encoding.PEM))


def _make_certificate(
    ca_path: Path, ca_key_path: Path, path: Path, key_path: Path, addresses: list[str]
) -> None:
    authority = x509.load_pem_x509_certificate(ca_path.read_bytes())
    ca_key = serialization.load_pem_private_key(ca_key_path.read_bytes(), None)
    assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(_name("kube-apiserver"), authority.subject, key.public_key())
        .add_extension(x509.SubjectAlternativeName(_names(addresses)), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    _write(key_path, _private(key))
    _write(path, certificate.public_bytes(serialization.Encoding.PEM))


def _names(addresses: list[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = [
        x509.DNSName(name)
        for name in ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
    ]
    for address in addresses:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(address)))
        except ValueError:
            found.append(x509.DNSName(address))
    return found


def kubeconfig(url: str, ca_pem: str, token: str) -> str:
    """Return a kubeconfig for the admin; JSON inside, which is YAML."""
    ca = base64.b64encode(ca_pem.encode()).decode()
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "comity",
                    "cluster": {"server": url, "certificate-authority-data": ca},
                }
            ],
            "users": [{"name": "comity-admin", "user": {"token": token}}],
            "contexts": [
                {"name": "comity", "context": {"cluster": "comity", "user": "comity-admin"}}
            ],
            "current-context": "comity",
        },
        indent=2,
    )
