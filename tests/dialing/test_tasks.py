"""Connectors that are called in tasks: what is left under way ends before the operation does."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from psycopg3.deadlines import Deadline
from psycopg3.dialing.records import Dialer, Target
from psycopg3.dialing.tasks import dialling

pytestmark = pytest.mark.anyio


async def test_a_call_that_is_left_as_soon_as_it_has_begun_ends() -> None:
    async def connect(*args: Any, **kwargs: Any) -> Any:
        await anyio.sleep(10)

    dialer = Dialer(connect, None, None)
    async with dialling(dialer) as dial:
        call = dial(Target("localhost", 5432, Deadline.after(10, TimeoutError)))
        call.leave()
    assert call.done()
