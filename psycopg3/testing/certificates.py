"""Makes the certificates of a throw-away server: an authority of its own, and the server's."""

from __future__ import annotations

import ipaddress
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from cryptography import x509

NAME = "db.example.test"
NAMES = ("localhost", NAME)
ADDRESSES = ("127.0.0.1", "::1")
DAYS = 30

_CONFIG = f"""
[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
authorityKeyIdentifier = keyid
subjectAltName = {", ".join([f"DNS:{n}" for n in NAMES] + [f"IP:{a}" for a in ADDRESSES])}
"""


class Certificates(NamedTuple):
    """The files a TLS server needs, and the one its clients check it by."""

    ca_file: Path
    certificate: Path
    key: Path


def can_make() -> bool:
    """True if `make` has what it needs: the package cryptography, or the program openssl."""
    return _has_cryptography() or shutil.which("openssl") is not None


def make(folder: Path) -> Certificates:
    """Write an authority and a server's certificate for NAMES and ADDRESSES into `folder`."""
    files = Certificates(folder / "ca.crt", folder / "server.crt", folder / "server.key")
    if _has_cryptography():
        _by_cryptography(files)
    else:
        _by_openssl(folder, files)
    files.key.chmod(0o600)
    return files


def _has_cryptography() -> bool:
    import importlib.util

    return importlib.util.find_spec("cryptography") is not None


def _by_openssl(folder: Path, files: Certificates) -> None:
    config, ca_key, request = folder / "openssl.cnf", folder / "ca.key", folder / "server.csr"
    config.write_text(_CONFIG)

    def openssl(*args: object) -> None:
        subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)

    for key in (ca_key, files.key):
        openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", key)
    common = ("-sha256", "-days", DAYS)
    subject = ("-config", config, "-subj")
    openssl(
        *("req", "-x509", "-new", "-key", ca_key, *subject, "/CN=psycopg3 test authority"),
        *("-extensions", "ca", *common, "-out", files.ca_file),
    )
    openssl("req", "-new", "-key", files.key, *subject, f"/CN={NAME}", "-out", request)
    openssl(
        *("x509", "-req", "-in", request, "-CA", files.ca_file, "-CAkey", ca_key, "-set_serial", 2),
        *("-extfile", config, "-extensions", "server", *common, "-out", files.certificate),
    )
    for path in (config, ca_key, request):
        path.unlink()


def _by_cryptography(files: Certificates) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = "psycopg3 test authority"
    ca_id = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    addresses = [x509.IPAddress(ipaddress.ip_address(address)) for address in ADDRESSES]
    of_server = [
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_id),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
        x509.SubjectAlternativeName([*map(x509.DNSName, NAMES), *addresses]),
    ]
    ca = _unsigned(1, authority, authority, ca_key.public_key(), [ca_id])
    server = _unsigned(2, NAME, authority, key.public_key(), of_server)
    files.ca_file.write_bytes(_signed(ca, ca_key, is_ca=True))
    files.certificate.write_bytes(_signed(server, ca_key, is_ca=False))
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    files.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, *plain))


def _unsigned(
    serial: int, subject: str, issuer: str, key: Any, extensions: Iterable[Any]
) -> x509.CertificateBuilder:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(named(issuer), named(subject), key, serial)
    builder = builder.not_valid_before(now - timedelta(hours=1))
    builder = builder.not_valid_after(now + timedelta(days=DAYS))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder


def _signed(builder: x509.CertificateBuilder, ca_key: Any, *, is_ca: bool) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    names = "digital_signature content_commitment key_encipherment data_encipherment "
    names += "key_agreement key_cert_sign crl_sign encipher_only decipher_only"
    granted = {"key_cert_sign", "crl_sign"} if is_ca else {"digital_signature"}
    usage = x509.KeyUsage(**{name: name in granted for name in names.split()})
    constraints = x509.BasicConstraints(ca=is_ca, path_length=None)
    builder = builder.add_extension(constraints, critical=True).add_extension(usage, critical=True)
    return builder.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
