"""The reader of libpq.h and the writer of bindings."""

from __future__ import annotations

import pytest

from tools import libpq_bindings
from tools.libpq_bindings import parse

HEADER = """
typedef struct pg_conn PGconn;
typedef struct pair {
    char *name;
    struct pair *next;
} Pair;

/* First */
int PQone(const PGconn *conn, const char *const *values); /* waits 17 */
char *PQtwo(void);

/* Second */
const char *PQthree(PGconn *conn, size_t length,
    char **out); /* hot */
"""


def test_parse() -> None:
    header = parse(HEADER)
    assert header.opaque == ("PGconn",)
    assert header.structs == {"Pair": (("name", "char *"), ("next", "pair *"))}
    assert list(header.sections) == ["First", "Second"]
    one, two, three = header.functions
    assert one.arguments == ("const PGconn *", "const char * const *")
    assert (one.since, one.waits, one.hot) == (17, True, False)
    assert (two.returns, two.arguments, two.since) == ("char *", (), 14)
    assert three.arguments == ("PGconn *", "size_t", "char **")
    assert (three.returns, three.hot) == ("const char *", True)


def test_what_is_not_understood_is_an_error() -> None:
    with pytest.raises(ValueError, match="2 declarations, of which 1 were understood"):
        parse("int PQone(void);\nint PQtwo(int (*callback)(int));\n")
    with pytest.raises(ValueError, match="PQone: a note may be"):
        parse("int PQone(void); /* slowly */\n")


def test_the_generated_files_are_up_to_date() -> None:
    assert libpq_bindings.main(["--check"]) == 0


def test_a_type_nobody_knows_is_an_error() -> None:
    with pytest.raises(KeyError):
        libpq_bindings.ctypes_module(parse("long double PQone(void);\n"))
