"""The generator of the synchronous twins: names, layout, comments, and its check."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path

import pytest

from tools import unasync

needs_ruff = pytest.mark.skipif(
    find_spec("ruff") is None, reason="ruff isn't installed: it is in the extra 'dev'"
)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of its own for the tool to work in, with two sources."""
    monkeypatch.setattr(unasync, "ROOT", tmp_path)
    for name in ("_async/__init__.py", "_async/deep/cursor.py", "pool/_async.py"):
        path = tmp_path / "psycopg3" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('"""A caption."""\nawait tasks.sleep()\n')
    monkeypatch.setattr(unasync, "NAMES", {"tasks": "threads"})
    return tmp_path


@pytest.mark.parametrize(
    ("source", "twin"),
    [
        ("async def f(): await g()", "def f(): g()"),
        ("async with a as b, c: pass", "with a as b, c: pass"),
        ("[x async for x in y]", "[x for x in y]"),
        ("class AsyncThing(_AsyncBase): pass", "class Thing(_Base): pass"),
        ("x = Asynchronous, asyncX, AsyncX1", "x = Asynchronous, asyncX, X1"),
        ("async def __aenter__(self): pass", "def __enter__(self): pass"),
        ("async def __anext__(self): raise StopAsyncIteration", None),
        ("from .._async.cursor import AsyncCursor", "from .._sync.cursor import Cursor"),
        ("x = (await cur.fetchone())[0]", "x = cur.fetchone()[0]"),
        ("x = (await cur.f(a, (b))).c.d", "x = cur.f(a, (b)).c.d"),
        ("x = (await a or b).c", "x = (a or b).c"),
        ("x = (await f(a, b=1 + 2)[0])", "x = f(a, b=1 + 2)[0]"),
        ("return (await a.b(), 1)", "return (a.b(), 1)"),
        ("x = y(z)(await a)", "x = y(z)(a)"),
        ("f(await a)", "f(a)"),
        ("if not (await a.b()): pass", "if not a.b(): pass"),
        ("return_ = x[(await a)]", "return_ = x[a]"),
        ('f"{await conn.x()} {AsyncX!r:>{w}} {{async}}"', 'f"{conn.x()} {X!r:>{w}} {{async}}"'),
        ('"AsyncX says: await that it ends"', '"X says: await that it ends"'),
        ("# async with await AsyncX.connect() as y", "# with X.connect() as y"),
    ],
)
def test_translates(source: str, twin: str | None) -> None:
    if twin is None:
        twin = "def __next__(self): raise StopIteration"
    assert unasync.translate(source + "\n") == twin + "\n"


def test_white_space_and_comments_stay() -> None:
    source = "x  =  1   # why\n\n\n\nif x:\n\n    # here\n    y = (  1,\n\t2, )\n"
    assert unasync.translate(source) == source


@needs_ruff
def test_what_fits_on_a_line_now_goes_on_one() -> None:
    width = "x" * 75
    sources = [f"async def f():\n    return await {width}(\n        a, [b, c]\n    )\n", "x = 1\n"]
    formatted = unasync.formatted([unasync.translate(source) for source in sources])
    assert formatted == [f"def f():\n    return {width}(a, [b, c])\n", "x = 1\n"]


@needs_ruff
def test_parentheses_that_only_broke_a_line_go() -> None:
    width = "x" * 75
    sources = [f"y = (\n    await {width} + 1\n)\n", f"y = (await {width}\n).z\n"]
    formatted = unasync.formatted([unasync.translate(source) for source in sources])
    assert formatted == [f"y = {width} + 1\n", f"y = ({width}).z\n"]


@needs_ruff
def test_every_twin_says_where_it_comes_from_and_is_python() -> None:
    made = unasync.outputs()
    assert made
    for path, text in made.items():
        note, _, rest = text.partition("\n")
        assert note.startswith("# Generated from ")
        assert "python tools/unasync.py" in note
        assert "_sync" in path.as_posix()
        tree = ast.parse(rest)
        assert ast.get_docstring(tree), path
        kinds = (ast.AsyncFunctionDef, ast.AsyncWith, ast.AsyncFor, ast.Await)
        assert not [node for node in ast.walk(tree) if isinstance(node, kinds)]


@needs_ruff
def test_files_and_folders_have_twins(repository: Path) -> None:
    places = [path.relative_to(repository / "psycopg3").as_posix() for path in unasync.outputs()]
    assert places == ["_sync/__init__.py", "_sync/deep/cursor.py", "pool/_sync.py"]


@needs_ruff
def test_check_finds_what_is_wrong(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert unasync.main(["--check"]) == 1
    assert "psycopg3/pool/_sync.py: missing" in capsys.readouterr().out
    assert unasync.main([]) == 0
    assert unasync.main(["--check"]) == 0
    twin = repository / "psycopg3" / "_sync" / "deep" / "cursor.py"
    assert twin.read_text().endswith('"""A caption."""\n\nthreads.sleep()\n')

    twin.write_text(twin.read_text() + " ")
    (problem,) = unasync.problems()
    assert problem.startswith("psycopg3/_sync/deep/cursor.py: differs from what its source gives;")
    unasync.main([])
    (twin.parent / "data.json").write_text("{}")
    assert unasync.problems() == ["psycopg3/_sync/deep/data.json: has no source"]


@needs_ruff
def test_twins_go_with_their_source_and_nothing_else_does(repository: Path) -> None:
    unasync.main([])
    stray = repository / "psycopg3" / "_sync" / "by_hand.py"
    stray.write_text("# mine\n")
    (repository / "psycopg3" / "pool" / "_async.py").unlink()
    unasync.main([])
    assert not (repository / "psycopg3" / "pool" / "_sync.py").exists()
    assert stray.exists()


@needs_ruff
def test_a_name_that_no_source_uses_is_an_error(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert repository.exists()
    monkeypatch.setattr(unasync, "NAMES", {"tasks": "threads", "nobody": "somebody"})
    unasync.main([])
    assert unasync.problems() == ["tools/unasync.py: no source uses 'nobody' of NAMES"]


def test_unknown_arguments_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert unasync.main(["--chekc"]) == 2
    assert "--check" in capsys.readouterr().err
