"""Enums: the numbers are libpq's, and a newer libpq's number is no error."""

from __future__ import annotations

import pickle

import pytest

from psycopg3.pq import enums
from psycopg3.pq.enums import ConnStatus, ExecStatus, Members

OPEN = [
    enums.ConnStatus,
    enums.PollingStatus,
    enums.ExecStatus,
    enums.TransactionStatus,
    enums.Ping,
    enums.PipelineStatus,
    enums.DiagnosticField,
    enums.Format,
]


@pytest.mark.parametrize("enum", OPEN[:6])
def test_numbers_have_no_gaps(enum: type[enums.ConnStatus]) -> None:
    assert [int(member) for member in enum] == list(range(len(enum)))


@pytest.mark.parametrize("enum", OPEN)
def test_a_number_not_known_yet(enum: type[enums.ConnStatus]) -> None:
    unknown = enum(250)
    assert unknown == 250
    assert unknown.name == "UNKNOWN_250"
    assert isinstance(unknown, enum)
    assert 250 not in [int(member) for member in enum]
    with pytest.raises(ValueError, match="OK"):
        enum("OK")


def test_members() -> None:
    members = Members(ExecStatus)
    assert members[2] is ExecStatus.TUPLES_OK
    assert members[99] == 99
    assert members[99].name == "UNKNOWN_99"
    assert dict(members) == {int(status): status for status in ExecStatus}


def test_pickle() -> None:
    assert pickle.loads(pickle.dumps(ConnStatus.OK)) is ConnStatus.OK


def test_fields_are_the_letters_of_the_protocol() -> None:
    letters = "".join(chr(field) for field in enums.DiagnosticField)
    assert sorted(letters) == sorted("SVCMDHPpqWstcdnFLR")
