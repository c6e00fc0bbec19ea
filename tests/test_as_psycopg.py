"""install_as_psycopg(): in programs of their own, since what it does lasts."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run(code: str, *path: Path) -> str:
    """What a program prints."""
    places = "".join(f"sys.path.insert(0, {str(place)!r})\n" for place in (ROOT, *path))
    return subprocess.check_output(
        [sys.executable, "-c", f"import sys\n{places}{textwrap.dedent(code)}"], text=True
    )


def test_the_same_modules_under_both_names():
    code = """
        import psycopg3
        psycopg3.install_as_psycopg()
        import psycopg, psycopg.sql, psycopg.types.json
        import psycopg.types.shapely as late  # nothing has imported it before
        import psycopg3.types.shapely, psycopg3.testing
        from psycopg import errors, rows
        from psycopg.errors import UniqueViolation
        from psycopg.testing import cluster
        assert psycopg is psycopg3
        assert psycopg.sql is psycopg3.sql and psycopg.types.json is psycopg3.types.json
        assert late is psycopg3.types.shapely is sys.modules["psycopg.types.shapely"]
        assert late.__spec__.name == late.__name__ == "psycopg3.types.shapely"
        assert UniqueViolation is psycopg3.errors.UniqueViolation
        assert cluster is psycopg3.testing.cluster
        try:
            import psycopg.nothing
        except ModuleNotFoundError as ex:
            print(ex)
    """
    pytest.importorskip("shapely")
    assert run(code) == "No module named 'psycopg.nothing'\n"


def test_again():
    run("import psycopg3; psycopg3.install_as_psycopg(); psycopg3.install_as_psycopg()")


def test_where_psycopg_is_imported_already(tmp_path):
    (tmp_path / "psycopg.py").write_text("")
    code = """
        import psycopg, psycopg3
        try:
            psycopg3.install_as_psycopg()
        except psycopg3.InterfaceError as ex:
            print(ex)
        import psycopg
        assert psycopg is not psycopg3
    """
    assert "already imported, from " in run(code, tmp_path)


def test_where_psycopg_is_installed_but_not_imported(tmp_path):
    (tmp_path / "psycopg").mkdir()
    for name in ("__init__", "sql", "own"):
        (tmp_path / "psycopg" / f"{name}.py").write_text("raise ZeroDivisionError")
    code = """
        import psycopg3
        psycopg3.install_as_psycopg()
        import psycopg.sql
        assert psycopg.sql is psycopg3.sql
        try:
            import psycopg.own
        except ModuleNotFoundError:
            print("none")
    """
    assert run(code, tmp_path) == "none\n"


def test_values_are_psycopg_s_when_they_are_written_down():
    code = """
        import pickle, psycopg3
        psycopg3.install_as_psycopg()
        from psycopg.types.range import Range
        data = pickle.dumps(Range(1, 2))
        assert b"psycopg.types.range" in data and b"psycopg3" not in data
        assert pickle.loads(data) == Range(1, 2)
        assert psycopg3.types.range.AnyRangeDumper.__module__ == "psycopg3.types.range"
        print(Range.__module__)
    """
    assert run(code) == "psycopg.types.range\n"


def test_queries_as_psycopg(dsn):
    code = f"""
        import psycopg3
        psycopg3.install_as_psycopg()
        import psycopg
        from psycopg.rows import dict_row
        from psycopg.types.range import Range
        with psycopg.connect({dsn!r}, autocommit=True, row_factory=dict_row) as conn:
            print(conn.execute("select %s as a, %s::int4range as b", [[1, 2], Range(1, 2)]).fetchall())
            try:
                conn.execute("select nothing")
            except psycopg.errors.UndefinedColumn:
                print("undefined")
    """
    assert run(code).splitlines() == ["[{'a': [1, 2], 'b': Range(1, 2, '[)')}]", "undefined"]
