"""The service file named by `servicefile`, read as libpq reads the one of PGSERVICEFILE.

Up to version 18 libpq takes the file's name from the environment alone, which all threads share.
"""

from __future__ import annotations

import os
from collections.abc import Container

from ._capabilities import needs_newer
from .errors import OperationalError


def read_service(path: str, name: str, known: Container[str]) -> dict[str, str]:
    """The connection parameters of a service; the manual's section "The Connection Service File".

    Args:
        path: the file.
        name: the service.
        known: the keywords that it may use.

    Raises:
        OperationalError: there is no such file or service in it, or a line of that is malformed.
            The message shows no line: it may have a password.
    """
    try:
        with open(path, "rb") as file:
            lines = [line.strip() for line in os.fsdecode(file.read()).split("\n")]
    except OSError as ex:
        raise OperationalError(f"can't read the service file {path!r}: {ex.strerror}") from None
    section = f"[{name}]"
    try:
        begin = next(at for at, line in enumerate(lines, 1) if line.startswith(section))
    except StopIteration:
        raise OperationalError(
            f'definition of service "{name}" not found in the service file {path!r}'
        ) from None
    params: dict[str, str] = {}
    for number, line in enumerate(lines[begin:], begin + 1):
        if line.startswith("["):
            break
        if not line or line.startswith("#"):
            continue
        keyword, equals, value = line.partition("=")
        if fault := _fault(keyword, equals, known):
            raise OperationalError(f"line {number} of the service file {path!r} {fault}")
        params.setdefault(keyword, value)
    return params


def _fault(keyword: str, equals: str, known: Container[str]) -> str:
    """What is wrong with a line; "" if nothing is."""
    if not equals:
        return "has no '=': expected keyword=value"
    if keyword != keyword.rstrip():
        return "has a blank before the '=': expected keyword=value"
    if keyword in ("service", "servicefile"):
        return "names another service, which a service can't: expected the parameters themselves"
    if keyword not in known:
        return f"has a keyword that this libpq doesn't know{needs_newer(keyword)}"
    return ""
