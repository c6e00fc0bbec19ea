"""Geometric values through a real server."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psycopg3.adapt import Format, PyFormat
from psycopg3.errors import DataError
from psycopg3.types.geometric import Box, Circle, Line, LineSegment, Path, Point, Polygon

if TYPE_CHECKING:
    from tests.types.conftest import Bare

FORMATS = [(format, result) for format in PyFormat for result in Format]

numbers = st.floats()
points = st.builds(Point, numbers, numbers)
corners = st.lists(points, min_size=1, max_size=5).map(tuple)
finite = st.floats(allow_nan=False)
shapes = (
    points
    | st.builds(Line, st.floats(min_value=1e-3), finite, finite)
    | st.builds(LineSegment, points, points)
    | st.builds(Path, corners, st.booleans())
    | st.builds(Polygon, st.lists(st.builds(Point, finite, finite), min_size=1).map(tuple))
    | st.builds(Circle, points, st.floats(min_value=0))
)


@settings(max_examples=150, deadline=None)
@given(value=shapes, format=st.sampled_from(FORMATS))
def test_round_trip(
    shared: Bare, valued: Bare, value: Any, format: tuple[PyFormat, Format]
) -> None:
    query = "select $1, $2, $1::text"
    params = (value, [value, None])
    row = valued.row(query, params, format=format[0], result=format[1])
    assert repr(row) == repr((value, [value, None], str(value)))
    # Without values, it is the text of the server in both formats.
    row = shared.row(query, params, format=format[0], result=format[1])
    assert row == (str(value), [str(value), None], str(value))


@pytest.mark.parametrize("result", Format)
def test_a_box_has_its_upper_right_corner_first(valued: Bare, result: Format) -> None:
    for format in PyFormat:
        row = valued.row(
            "select $1", (Box(Point(1, 4), Point(3, 2)),), format=format, result=result
        )
        assert row == (Box(high=Point(3, 4), low=Point(1, 2)),)


@settings(max_examples=250, deadline=None)
@given(
    number=st.floats() | st.integers(2**50, 2**70).map(float) | st.integers(-600, 600).map(float)
)
def test_numbers_are_shown_as_the_server_shows_them(shared: Bare, number: float) -> None:
    assert shared.row("select $1::text", (number,)) == (str(Point(number, 0))[1:-3],)


def test_values_may_be_made_of_tuples(valued: Bare) -> None:
    for value in (LineSegment((1, 2), (3, 4)), Path([(1, 2), [3, 4]]), Circle((1, 2), 3)):  # type: ignore[arg-type]
        for format in PyFormat:
            (got,) = valued.row("select $1", (value,), format=format)
            assert str(got) == str(value)


@pytest.mark.parametrize("format", PyFormat)
@pytest.mark.parametrize(
    "value",
    [
        Point("a", 2),  # type: ignore[arg-type]
        Point(10**400, 2),
        Point(None, 2),  # type: ignore[arg-type]
        Path(3),  # type: ignore[arg-type]
        Polygon(((1, 2, 3),)),  # type: ignore[arg-type]
        Circle((1, 2, 3), 4),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_shape_is_a_data_error(shared: Bare, value: Any, format: PyFormat) -> None:
    with pytest.raises(DataError, match="expected numbers as a"):
        shared.row("select $1", (value,), format=format)
    assert shared.row("select 1") == (1,)


def test_pickle() -> None:
    value = Path((Point(1, 2),), True)
    assert pickle.loads(pickle.dumps(value)) == value
