"""Edge values of PostgreSQL's types, which a server makes payloads of; and how to break these."""

from __future__ import annotations

import random

EDGES: dict[str, list[str]] = {
    "bool": ["t", "f"],
    "int2": ["0", "-32768", "32767"],
    "int4": ["0", "-2147483648", "2147483647"],
    "int8": ["0", "-9223372036854775808", "9223372036854775807"],
    "oid": ["0", "4294967295"],
    "numeric": [
        *("0", "0.000", "1.10", "-1.5", "12345678901234567890.123456789", "1e100", "1e-100"),
        *("nan", "1e131071", "1e-16383", "10000", "9999", "0.00010000"),
    ],
    "float4": ["0", "-0", "0.1", "1e-45", "3.4028235e38", "nan", "inf", "-inf", "16777217"],
    "float8": ["0", "-0", "0.1", "5e-324", "1.7976931348623157e308", "nan", "inf", "-inf"],
    "text": ["", "a", "NULL", "\u00e9", "\U0001f40d", '"', "\\", "a,b", "{}", " ", "\n", "a" * 300],
    "varchar": ["", "\u00e9"],
    "bpchar": ["", "abc  "],
    "name": ["", "pg_class"],
    "bytea": ["", "\\x00ff5c27", "\\x" + "61" * 200],
    "date": ["2000-01-01", "0001-01-01", "9999-12-31", "1999-12-31", "2024-02-29"],
    "time": ["00:00", "23:59:59.999999", "12:34:56.7"],
    "timetz": ["00:00+00", "23:59:59.999999-15:59:59", "12:00+05:30:15"],
    "timestamp": [
        "2000-01-01",
        "0001-01-01",
        "9999-12-31 23:59:59.999999",
        "1999-12-31 23:59:59.5",
    ],
    "timestamptz": ["2000-01-01 00:00+00", "0001-01-03 00:00+00", "9999-12-30 23:59:59.999999+00"],
    "interval": [
        *("0", "1 year 2 mons -3 days 04:05:06.789", "-1 day +1 hour", "-00:00:00.000001"),
        *("10 years", "-13 mons", "999999999 days", "100000:00:00"),
    ],
    "uuid": ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
    "json": ["null", "[]", '{"a": [1, 2.5, "\u00e9", true, null]}', '"\\u00e9"', "1e3", " 1 "],
    "jsonb": [
        "null",
        "[]",
        '{"a": [1, 2.5, "\u00e9", true, null]}',
        "1.10",
        "12345678901234567890",
    ],
    "inet": ["1.2.3.4", "1.2.3.4/24", "::1", "::ffff:1.2.3.4", "fe80::/10", "0.0.0.0/0"],
    "cidr": ["1.2.3.0/24", "::/0", "1.2.3.4/32", "ffff::/16"],
    "int4range": ["empty", "(,)", "[1,10)", "(,5]", "[-2147483648,2147483647)"],
    "int8range": ["[1,9223372036854775807)"],
    "numrange": ["[1.10,2.5]", "(,0)", "empty"],
    "daterange": ["[2020-01-01,2020-02-01)", "[2020-01-01,)", "empty"],
    "tsrange": ["[2020-01-01 00:00,2020-02-01 00:00:00.5]", "(,)"],
    "tstzrange": ["[2020-01-01 00:00+00,2020-02-01 00:00+00)"],
    "int4multirange": ["{}", "{[1,3),[5,7)}", "{(,)}"],
    "nummultirange": ["{[1.1,2.2],(3,4)}"],
    "tstzmultirange": ["{[2020-01-01 00:00+00,2020-02-01 00:00+00)}"],
}
"""By the type's name. Strings of values beyond Python's are in the tests of their families."""

LENGTHS = [b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\x80\0\0\0", b"\0\0\0\1"]


def mutant(data: bytes, rng: random.Random) -> bytes:
    """A payload as a broken server, link or memory might give it."""
    place = rng.randrange(len(data) + 1)
    kind = rng.randrange(8)
    if kind == 0:
        return data[:place]
    if kind == 1:
        return data + rng.randbytes(rng.randrange(1, 20))
    if kind == 2:
        return data[:place] + rng.randbytes(1) + data[place + 1 :]
    if kind == 3:
        return data[:place] + data[place + rng.randrange(1, 5) :]
    if kind == 4:  # a bit
        if not data:
            return data
        place %= len(data)
        return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]
    if kind == 5:  # bad UTF-8
        return data[:place] + rng.choice([b"\xff", b"\xc3", b"\xed\xa0\x80", b"\0"]) + data[place:]
    if kind == 6:  # nested anew
        return data[:place] + data + data[place:]
    return data[:place] + rng.choice(LENGTHS) + data[place + 4 :]
