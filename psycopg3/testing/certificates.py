"""Makes the certificate of a throw-away server, which is its own authority, by the program openssl."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

NAME = "db.example.test"
NAMES = ("localhost", NAME)
ADDRESSES = ("127.0.0.1", "::1")
DAYS = 30

# A configuration of our own: what the system's would add differs.
_CONFIG = f"""
[req]
distinguished_name = name
x509_extensions = server
[name]
[server]
basicConstraints = critical, CA:TRUE
keyUsage = critical, digitalSignature, keyCertSign
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
subjectAltName = {", ".join([f"DNS:{n}" for n in NAMES] + [f"IP:{a}" for a in ADDRESSES])}
"""


class Certificates(NamedTuple):
    """The files a TLS server needs; its clients check it by the certificate, too."""

    certificate: Path
    key: Path


def can_make() -> bool:
    """True if `make` has what it needs: the program openssl."""
    return shutil.which("openssl") is not None


def make(folder: Path) -> Certificates:
    """Write a key, and its certificate for NAMES and ADDRESSES, into `folder`."""
    files = Certificates(folder / "server.crt", folder / "server.key")
    config = folder / "openssl.cnf"
    config.write_text(_CONFIG)
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-config", config, "-sha256", "-days", str(DAYS)),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-subj", f"/CN={NAME}", "-keyout", files.key, "-out", files.certificate),
        ],
        check=True,
        capture_output=True,
    )
    files.key.chmod(0o600)
    return files
