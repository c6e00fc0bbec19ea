"""Exceptions: the classes, what they tell, how they are made."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

import psycopg3
from psycopg3 import errors, pq
from psycopg3._sqlstates import NAMES

FIELDS = {
    "severity": "S",
    "severity_nonlocalized": "V",
    "sqlstate": "C",
    "message_primary": "M",
    "message_detail": "D",
    "message_hint": "H",
    "statement_position": "P",
    "internal_position": "p",
    "internal_query": "q",
    "context": "W",
    "schema_name": "s",
    "table_name": "t",
    "column_name": "c",
    "datatype_name": "d",
    "constraint_name": "n",
    "source_file": "F",
    "source_line": "L",
    "source_function": "R",
}


class FakeResult:
    """A result of libpq, as far as errors look at it."""

    def __init__(self, message: bytes = b"", **fields: bytes) -> None:
        self.error_message = message
        self.fields = {ord(FIELDS[name]): raw for name, raw in fields.items()}

    def error_field(self, fieldcode: int) -> bytes | None:
        return self.fields.get(fieldcode)


def run(dsn: str, query: bytes, *before: bytes) -> tuple[pq.PGconn, pq.PGresult]:
    conn = pq.PGconn.connect(dsn.encode())
    assert conn.status == pq.ConnStatus.OK, conn.error_message
    for statement in before:
        assert conn.exec_(statement).status == pq.ExecStatus.COMMAND_OK
    return conn, conn.exec_(query)


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("Warning", "Exception"),
        ("Error", "Exception"),
        ("InterfaceError", "Error"),
        ("DatabaseError", "Error"),
        ("DataError", "DatabaseError"),
        ("OperationalError", "DatabaseError"),
        ("IntegrityError", "DatabaseError"),
        ("InternalError", "DatabaseError"),
        ("ProgrammingError", "DatabaseError"),
        ("NotSupportedError", "DatabaseError"),
    ],
)
def test_pep249_tree(name: str, base: str) -> None:
    cls = getattr(errors, name)
    assert cls.__base__.__name__ == base
    assert getattr(psycopg3, name) is cls
    assert repr(cls) == f"<class 'psycopg3.{name}'>"


@pytest.mark.parametrize("name", ["ConnectionTimeout", "CancellationTimeout", "PipelineAborted"])
def test_own_classes(name: str) -> None:
    cls = getattr(errors, name)
    assert cls.__base__ is errors.OperationalError
    assert repr(cls) == f"<class 'psycopg3.errors.{name}'>"
    assert cls.sqlstate is None


def test_plain_error_tells_nothing() -> None:
    error = errors.InterfaceError("wrong")
    assert str(error) == "wrong"
    assert error.args == ("wrong",)
    assert error.sqlstate is None
    assert error.pgconn is None
    assert error.pgresult is None
    assert [getattr(error.diag, name) for name in FIELDS] == [None] * 18


def test_sqlstate_classes() -> None:
    from psycopg3.errors import UniqueViolation

    assert UniqueViolation is errors.UniqueViolation
    assert UniqueViolation.__base__ is errors.IntegrityError
    assert UniqueViolation.sqlstate == "23505"
    assert UniqueViolation("x").sqlstate == "23505"
    assert repr(UniqueViolation) == "<class 'psycopg3.errors.UniqueViolation'>"
    assert "23505" in (UniqueViolation.__doc__ or "")


def test_every_sqlstate_has_its_class() -> None:
    assert len(NAMES) >= 254
    for code, name in NAMES.items():
        cls = getattr(errors, name)
        assert cls.sqlstate == code
        assert cls.__name__ == name
        assert issubclass(cls, errors.DatabaseError)
        assert errors.lookup(code) is cls
        assert errors.lookup(name) is cls
        assert errors.class_for_sqlstate(code) is cls
        assert name in dir(errors)
    assert len(set(NAMES.values())) == len(NAMES)


@pytest.mark.parametrize(
    ("code", "name", "base"),
    [
        ("08006", "ConnectionFailure", "OperationalError"),
        ("0A000", "FeatureNotSupported", "NotSupportedError"),
        ("02000", "NoData", "DatabaseError"),
        ("22012", "DivisionByZero", "DataError"),
        ("22004", "NullValueNotAllowed", "DataError"),
        ("25P02", "InFailedSqlTransaction", "InternalError"),
        ("25P04", "TransactionTimeout", "InternalError"),
        ("39004", "NullValueNotAllowedExt", "OperationalError"),
        ("38002", "ModifyingSqlDataNotPermittedExt", "OperationalError"),
        ("40001", "SerializationFailure", "OperationalError"),
        ("40P01", "DeadlockDetected", "OperationalError"),
        ("42P01", "UndefinedTable", "ProgrammingError"),
        ("57014", "QueryCanceled", "OperationalError"),
        ("57P01", "AdminShutdown", "OperationalError"),
        ("58P03", "FileNameTooLong", "OperationalError"),
        ("72000", "SnapshotTooOld", "DatabaseError"),
        ("HV000", "FdwError", "OperationalError"),
        ("P0001", "RaiseException", "ProgrammingError"),
        ("XX000", "InternalError_", "InternalError"),
    ],
)
def test_names_and_bases(code: str, name: str, base: str) -> None:
    cls = errors.lookup(code)
    assert cls.__name__ == name
    assert cls.__base__ is getattr(errors, base)


@pytest.mark.parametrize(
    "name",
    ["23505", "UNIQUE_VIOLATION", "unique_violation", "UniqueViolation"],
)
def test_lookup(name: str) -> None:
    assert errors.lookup(name) is errors.UniqueViolation


def test_lookup_of_a_name_that_is_taken() -> None:
    assert errors.lookup("INTERNAL_ERROR") is errors.InternalError_
    assert errors.lookup("xx000") is errors.InternalError_


@pytest.mark.parametrize("name", ["", "00000", "01000", "23ZZZ", "Error", "NO_SUCH_ERROR"])
def test_lookup_unknown(name: str) -> None:
    with pytest.raises(KeyError, match=repr(name)):
        errors.lookup(name)


@pytest.mark.parametrize(
    ("code", "base"),
    [
        ("23ZZZ", "IntegrityError"),
        ("22", "DataError"),
        ("PXX99", "DatabaseError"),
        ("99999", "DatabaseError"),
        ("01000", "DatabaseError"),
        ("", "DatabaseError"),
        ("\N{SNOWMAN}", "DatabaseError"),
    ],
)
def test_unknown_sqlstate(code: str, base: str) -> None:
    assert errors.class_for_sqlstate(code) is getattr(errors, base)
    error = errors.error_from_fields({ord("C"): code.encode(), ord("M"): b"so"})
    assert type(error) is getattr(errors, base)
    assert error.sqlstate == code
    assert error.diag.sqlstate == code
    assert str(error) == "so"


def test_unknown_attribute() -> None:
    with pytest.raises(AttributeError, match="NoSuchError"):
        getattr(errors, "NoSuchError")  # noqa: B009
    with pytest.raises(ImportError):
        exec("from psycopg3.errors import NoSuchError")


def test_star_import() -> None:
    code = "from psycopg3.errors import *; print(Error.__name__, lookup('23505').__name__)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["Error", "UniqueViolation"]


def test_threads_get_the_same_class() -> None:
    threads = 8
    module = errors.__dict__
    made_before = {name: module.pop(name) for name in NAMES.values() if name in module}
    try:
        start = threading.Barrier(threads)

        def made(_: int) -> list[object]:
            start.wait()
            return [getattr(errors, name) for name in NAMES.values()]

        with ThreadPoolExecutor(threads) as pool:
            first, *others = pool.map(made, range(threads))
        assert all(other == first for other in others)
    finally:
        for name in NAMES.values():
            module.pop(name, None)
        module.update(made_before)


def test_import_makes_no_classes() -> None:
    code = (
        "import sys, psycopg3.errors as e;"
        "print(sum(isinstance(x, type) and issubclass(x, e.Error) for x in vars(e).values()))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(ran.stdout) < 30


# -- diagnostics ---------------------------------------------------------------------------


def test_diagnostic_has_every_field() -> None:
    raw = {name: f"<{name}>".encode() for name in FIELDS}
    error = errors.error_from_result(FakeResult(**raw))
    assert {name: getattr(error.diag, name) for name in FIELDS} == {n: f"<{n}>" for n in FIELDS}
    assert set(errors.FIELD_CODES) == {ord(code) for code in FIELDS.values()}
    assert set(errors.FIELD_CODES) == set(pq.DiagnosticField)


def test_diagnostic_compares_and_shows() -> None:
    result = FakeResult(severity=b"ERROR", sqlstate=b"22012", message_primary=b"by zero")
    one, other = (errors.Diagnostic.from_result(result) for _ in range(2))
    assert one == other
    assert one != errors.Diagnostic({ord("C"): b"22012"})
    assert one != "by zero"
    assert repr(one) == "<Diagnostic ERROR 22012: by zero>"
    assert repr(errors.Diagnostic()) == "<Diagnostic ? ?:>"


@pytest.mark.parametrize(
    ("encoding", "raw", "text"),
    [
        ("utf-8", "é€".encode(), "é€"),
        ("iso8859-15", "é€".encode("iso8859-15"), "é€"),
        ("euc_jp", "日本".encode("euc_jp"), "日本"),
        ("utf-8", b"a\xffb", "a\N{REPLACEMENT CHARACTER}b"),
        ("ascii", "é".encode(), "é"),
        ("ascii", b"\xe9", "\N{REPLACEMENT CHARACTER}"),
        ("no-such-codec", "é".encode(), "é"),
        ("hex", b"zz", "zz"),
    ],
)
def test_encodings(encoding: str, raw: bytes, text: str) -> None:
    result = FakeResult(b"ERROR:  " + raw + b"\n", severity=b"ERROR", message_primary=raw)
    error = errors.error_from_result(result, encoding)
    assert error.diag.message_primary == text
    assert str(error) == text


@given(
    st.dictionaries(st.integers(0, 255), st.none() | st.binary(max_size=20), max_size=8),
    st.sampled_from(["utf-8", "ascii", "euc_jp", "cp1252", "iso8859-8", "gb18030", "nonsense"]),
    st.none() | st.binary(max_size=30),
)
def test_nothing_the_server_sends_breaks_it(
    info: dict[int, bytes | None], encoding: str, message: bytes | None
) -> None:
    error = errors.error_from_fields(info, encoding, message=message)
    assert isinstance(error, errors.DatabaseError)
    assert str(error)
    assert error.sqlstate == error.diag.sqlstate
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.args, again.diag) == (type(error), error.args, error.diag)


def test_without_sqlstate_the_error_is_operational() -> None:
    error = errors.error_from_result(FakeResult(b"server closed the connection\n"))
    assert type(error) is errors.OperationalError
    assert error.sqlstate is None
    assert str(error) == "server closed the connection"


def test_without_any_message() -> None:
    assert str(errors.error_from_result(FakeResult())) == "no error message was given"


@pytest.mark.parametrize(
    ("severity", "message", "text"),
    [
        ("ERROR", "ERROR:  no\nDETAIL:  more\n", "no\nDETAIL:  more"),
        ("ОШИБКА", "ОШИБКА:  нет\n", "нет"),
        ("FEHLER", "FEHLER:  ERROR:  nein\n", "ERROR:  nein"),
        (None, "ERROR:  not a field\n", "ERROR:  not a field"),
        ("ERROR", "other: ERROR:  inside\n", "other: ERROR:  inside"),
    ],
)
def test_severity_is_taken_off(severity: str | None, message: str, text: str) -> None:
    fields = {} if severity is None else {"severity": severity.encode()}
    error = errors.error_from_result(FakeResult(message.encode(), **fields))
    assert str(error) == text
    assert error.diag.severity == severity


def test_message_from_fields() -> None:
    info = {
        ord("C"): b"22012",
        ord("M"): b"by zero",
        ord("D"): b"details",
        ord("H"): b"a hint",
        ord("W"): b"line 1\nline 2",
    }
    error = errors.error_from_fields(info)
    assert type(error) is errors.DivisionByZero
    assert str(error) == ("by zero\nDETAIL:  details\nHINT:  a hint\nCONTEXT:  line 1\nline 2")


# -- copies --------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(protocol: int) -> None:
    result = FakeResult(
        b"ERROR:  twice\n", severity=b"ERROR", sqlstate=b"23505", constraint_name="ké".encode()
    )
    error = errors.error_from_result(result, pgconn=object())
    error.add_note("noted")
    again = pickle.loads(pickle.dumps(error, protocol))
    assert type(again) is errors.UniqueViolation
    assert again.args == ("twice",)
    assert again.sqlstate == "23505"
    assert again.diag == error.diag
    assert again.diag.constraint_name == "ké"
    assert again.__notes__ == ["noted"]
    assert again.pgconn is None
    assert again.pgresult is None
    assert error.pgresult is result
    assert error.pgconn is not None


def test_unpickle_in_another_process() -> None:
    pickled = pickle.dumps(errors.error_from_fields({ord("C"): b"57014", ord("M"): b"m"}))
    code = f"import pickle; e = pickle.loads({pickled!r}); print(repr(e), e.diag.message_primary)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "QueryCanceled('m') m"


def test_copy() -> None:
    error = errors.error_from_fields({ord("C"): b"57014", ord("M"): b"m"})
    for again in (copy.copy(error), copy.deepcopy(error)):
        assert (type(again), again.args, again.diag) == (type(error), error.args, error.diag)


def test_diagnostic_pickles() -> None:
    diag = errors.Diagnostic({ord("M"): "é".encode("latin1")}, "latin1")
    assert pickle.loads(pickle.dumps(diag)).message_primary == "é"


class Derived(errors.OperationalError):
    """A user's class, with its own idea of arguments."""

    def __init__(self, code: int) -> None:
        self.code = code
        Exception.__init__(self, code)


def test_derived_class() -> None:
    error = Derived(7)
    assert error.diag.sqlstate is None
    again = pickle.loads(pickle.dumps(error))
    assert (again.code, again.args, again.pgconn) == (7, (7,), None)


class Timeout(errors.OperationalError, TimeoutError):
    """An error that is Python's too."""


def test_derived_of_two() -> None:
    again = pickle.loads(pickle.dumps(Timeout("late")))
    assert isinstance(again, TimeoutError)
    assert str(again) == "late"


# -- the real thing ------------------------------------------------------------------------


def test_server_error(dsn: str) -> None:
    conn, result = run(dsn, b"select 1 from no_such_table")
    error = errors.error_from_result(result)
    result.clear()
    conn.finish()
    assert type(error) is errors.UndefinedTable
    assert error.diag.sqlstate == "42P01"
    assert error.diag.severity_nonlocalized == "ERROR"
    assert error.diag.statement_position == "15"
    assert error.diag.source_file == "parse_relation.c"
    assert str(error).startswith('relation "no_such_table" does not exist\nLINE 1: select 1 from')


@pytest.mark.parametrize(
    ("values", "is_noted"),
    [
        ("acldefault('r', 10)", True),
        ("array[acldefault('r', 10)]", True),
        ("row(acldefault('r', 10))", True),
        ("no_function(1)", False),
        ("array[point(1, 1)] < array[point(1, 1)]", False),
    ],
)
def test_a_type_without_a_binary_form(dsn: str, values: str, is_noted: bool) -> None:
    conn = pq.PGconn.connect(dsn.encode())
    result = conn.exec_params(f"select {values}".encode(), [], result_format=pq.Format.BINARY)
    error = errors.error_from_result(result)
    assert error.sqlstate == "42883"
    assert ["binary=False" in note for note in getattr(error, "__notes__", [])] == [True] * is_noted
    result.clear()
    conn.finish()


def test_constraint_error(dsn: str) -> None:
    _, result = run(
        dsn, b"insert into errors_t values (1)",
        b"create temp table errors_t (id int constraint errors_c check (id > 1))",
    )  # fmt: skip
    diag = errors.error_from_result(result).diag
    assert (diag.table_name, diag.constraint_name) == ("errors_t", "errors_c")
    assert (diag.schema_name or "").startswith("pg_temp")


def test_error_in_another_encoding(dsn: str) -> None:
    query = 'select 1 from "é€"'.encode("iso8859-15")
    _, result = run(dsn, query, b"set client_encoding to latin9")
    error = errors.error_from_result(result, "iso8859-15")
    assert error.diag.message_primary == 'relation "é€" does not exist'
    assert '"é€"' in str(error)


@pytest.mark.parametrize(
    ("code", "base"),
    [("23ZZZ", "IntegrityError"), ("PXX99", "DatabaseError"), ("57014", "QueryCanceled")],
)
def test_error_raised_by_a_function(dsn: str, code: str, base: str) -> None:
    raising = f"""do $$begin raise exception 'so' using errcode = '{code}',
        detail = 'd', hint = 'h', column = 'c', datatype = 't'; end$$"""
    _, result = run(dsn, raising.encode())
    error = errors.error_from_result(result)
    assert type(error) is getattr(errors, base)
    assert error.sqlstate == code
    diag = error.diag
    assert (diag.message_primary, diag.message_detail, diag.message_hint) == ("so", "d", "h")
    assert (diag.column_name, diag.datatype_name) == ("c", "t")
    assert "RAISE" in (diag.context or "")


def test_internal_query(dsn: str) -> None:
    _, result = run(dsn, b"do $$begin perform nonsense(1); end$$")
    diag = errors.error_from_result(result).diag
    assert diag.internal_query == "SELECT nonsense(1)"
    assert diag.internal_position == "8"


class TestAttributes:
    def error(self, dsn: str) -> errors.Error:
        with psycopg3.connect(dsn) as conn:
            conn.execute("create temp table t (n int constraint one primary key)")
            conn.execute("insert into t values (1)")
            with pytest.raises(errors.UniqueViolation) as caught:
                conn.execute("insert into t values (1)")
            conn.rollback()
        return caught.value

    def test_of_the_server(self, dsn: str) -> None:
        error = self.error(dsn)
        assert error.constraint_name == "one"
        assert error.detail == error.diag.message_detail == "Key (n)=(1) already exists."
        assert error.message == error.diag.message_primary
        assert error.hint is error.context is error.position is None

    def test_every_field_has_one(self) -> None:
        info = {ord(code): name.encode() for name, code in FIELDS.items()}
        error = errors.Error("x", info=info)
        told = error.as_dict()
        assert set(told.values()) == set(FIELDS) - {"severity_nonlocalized"}
        assert {name: getattr(error, name) for name in told} == told

    def test_as_a_dict(self, dsn: str) -> None:
        error = self.error(dsn)
        told = error.as_dict()
        assert told["sqlstate"] == "23505"
        assert told["table_name"] == "t"
        assert "hint" not in told
        assert None not in told.values()
        assert pickle.loads(pickle.dumps(error)).as_dict() == told

    def test_of_the_driver(self) -> None:
        assert errors.InterfaceError("wrong").as_dict() == {}
        assert errors.InterfaceError("wrong").detail is None
        assert errors.lookup("25P02")("x").as_dict() == {"sqlstate": "25P02"}

    def test_a_subclass_may_have_its_own(self) -> None:
        class Refusal(errors.Error):
            def __init__(self, detail: str) -> None:
                super().__init__(detail)
                self.detail = detail  # type: ignore[assignment]

        assert Refusal("x").detail == "x"
