"""The dialects of SQLAlchemy, through its engines; `tox -e sqlalchemy` runs its own suite on them."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import tomllib
import uuid
from decimal import Decimal
from pathlib import Path

import pytest

import psycopg3

sa = pytest.importorskip("sqlalchemy", minversion="2.1")

from sqlalchemy.dialects import postgresql as pg  # noqa: E402
from sqlalchemy.dialects import registry  # noqa: E402
from sqlalchemy.ext.asyncio import create_async_engine  # noqa: E402

from psycopg3.conninfo import conninfo_to_dict  # noqa: E402

# As the entry points say; those of an environment may be older than this source.
ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
for name, place in PROJECT["entry-points"]["sqlalchemy.dialects"].items():
    registry.register(name, *place.split(":"))

metadata = sa.MetaData()
things = sa.Table(
    "sa_things",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(20), unique=True),
    sa.Column("price", sa.Numeric(10, 2)),
    sa.Column("weight", sa.Float),
    sa.Column("data", pg.JSONB),
    sa.Column("span", pg.INT4RANGE),
    sa.Column("spans", pg.INT4MULTIRANGE),
    sa.Column("tags", sa.ARRAY(sa.String)),
    sa.Column("at", sa.DateTime(timezone=True)),
    sa.Column("key", sa.Uuid),
    sa.Column("address", pg.INET),
)
ROW = {
    "id": 1,
    "name": "ball",
    "price": Decimal("1.50"),
    "weight": 0.5,
    "data": {"a": [1, None]},
    "span": pg.Range(1, 5),
    "spans": [pg.Range(1, 5), pg.Range(7, 9)],
    "tags": ["a", "b"],
    "at": dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
    "key": uuid.UUID(int=7),
    "address": ipaddress.ip_address("1.2.3.4"),
}


def url(dsn, driver="psycopg3"):
    params = conninfo_to_dict(dsn)
    return sa.URL.create(
        f"postgresql+{driver}",
        params.pop("user", None),
        database=params.pop("dbname", None),
        query=params,
    )


@pytest.fixture
def engine(dsn):
    engine = sa.create_engine(url(dsn))
    with engine.begin() as conn:
        metadata.create_all(conn)
    yield engine
    with engine.begin() as conn:
        metadata.drop_all(conn)
    engine.dispose()


def test_values(engine):
    with engine.begin() as conn:
        conn.execute(things.insert(), [ROW])
        row = conn.execute(sa.select(things)).mappings().one()
    assert dict(row) == ROW
    assert type(row["span"]) is pg.Range
    assert type(row["weight"]) is float


def test_many_and_returning(engine):
    rows = [{"id": n, "name": str(n)} for n in range(3)]
    with engine.begin() as conn:
        got = conn.execute(things.insert().returning(things.c.id), rows).scalars().all()
        assert got == [0, 1, 2]
        updated = conn.execute(
            things.update().where(things.c.id == sa.bindparam("which")).values(name="x"),
            [{"which": 1}],
        )
        assert updated.rowcount == 1


def test_an_error_is_one_of_sqlalchemy_s(engine):
    with engine.connect() as conn:
        conn.execute(things.insert(), [{"id": 1, "name": "a"}])
        with pytest.raises(sa.exc.IntegrityError) as info:
            conn.execute(things.insert(), [{"id": 1, "name": "b"}])
    assert isinstance(info.value.orig, psycopg3.errors.UniqueViolation)


def test_the_engine_s_json(dsn):
    engine = sa.create_engine(
        url(dsn),
        json_serializer=lambda value: json.dumps({"wrapped": value}),
        json_deserializer=lambda data: json.loads(data)["wrapped"],
    )
    with engine.connect() as conn:
        value = sa.bindparam("v", {"a": 1}, type_=pg.JSONB)
        assert conn.scalar(sa.select(value)) == {"a": 1}
        assert conn.scalar(sa.select(sa.cast(value, sa.Text))) == '{"wrapped": {"a": 1}}'
    engine.dispose()


def test_addresses_as_text(dsn):
    engine = sa.create_engine(url(dsn), native_inet_types=False)
    with engine.connect() as conn:
        assert conn.exec_driver_sql("select '1.2.3.4'::inet").scalar() == "1.2.3.4"
    engine.dispose()


def test_streamed(engine):
    query = sa.text("select generate_series(1, 1000)")
    with engine.connect() as conn:
        result = conn.execution_options(stream_results=True, max_row_buffer=10).execute(query)
        assert isinstance(result.cursor, psycopg3.ServerCursor)
        assert sum(result.scalars()) == 500500


def test_isolation(engine):
    with engine.connect() as conn:
        assert conn.get_isolation_level() == "READ COMMITTED"
        conn.execution_options(isolation_level="SERIALIZABLE", postgresql_readonly=True)
        assert conn.exec_driver_sql("show transaction_isolation").scalar() == "serializable"
        assert conn.exec_driver_sql("show transaction_read_only").scalar() == "on"
    with engine.connect() as conn:
        conn.execution_options(isolation_level="AUTOCOMMIT")
        assert conn.connection.autocommit
    with engine.connect() as conn:
        assert not conn.connection.autocommit
        assert conn.exec_driver_sql("show transaction_isolation").scalar() == "read committed"


def test_a_ping_leaves_no_transaction(dsn):
    engine = sa.create_engine(url(dsn), pool_pre_ping=True)
    for _ in range(2):
        with engine.connect() as conn:
            assert not conn.connection.driver_connection.in_transaction
    engine.dispose()


def test_a_lost_connection_is_replaced(dsn):
    engine = sa.create_engine(url(dsn), pool_pre_ping=True)
    with engine.connect() as conn:
        pid = conn.connection.driver_connection.info.backend_pid
        with pytest.raises(sa.exc.DBAPIError) as info:
            conn.exec_driver_sql("select pg_terminate_backend(pg_backend_pid())")
        assert info.value.connection_invalidated
    with engine.connect() as conn:
        assert conn.connection.driver_connection.info.backend_pid != pid
    engine.dispose()


@pytest.mark.parametrize(
    "query, host, port",
    [
        ("host=a,b&port=1,2", "a,b", "1,2"),
        ("host=a:1&host=b:2", "a,b", "1,2"),
        ("host=a&host=b", "a,b", ","),
    ],
)
def test_several_hosts(query, host, port):
    dialect = sa.create_engine("postgresql+psycopg3://").dialect
    _, params = dialect.create_connect_args(sa.make_url(f"postgresql+psycopg3://u:p@/d?{query}"))
    assert params == {"user": "u", "password": "p", "dbname": "d", "host": host, "port": port}


def test_which_dialects_there_are(dsn):
    assert url(dsn).get_dialect().driver == "psycopg3"
    assert url(dsn, "psycopg3_async").get_dialect().is_async
    assert create_async_engine(url(dsn)).dialect.driver == "psycopg3_async"


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.mark.anyio
@pytest.mark.parametrize("driver", ["psycopg3", "psycopg3_async"])
async def test_async(dsn, engine, driver):
    aengine = create_async_engine(url(dsn, driver))
    async with aengine.begin() as conn:
        assert (await conn.execute(things.insert(), [ROW])).rowcount == 1
        row = (await conn.execute(sa.select(things))).mappings().one()
        assert dict(row) == ROW
        result = await conn.stream(sa.text("select generate_series(1, 1000)"))
        assert sum([n async for n in result.scalars()]) == 500500
        raw = await conn.get_raw_connection()
        assert isinstance(raw.driver_connection, psycopg3.AsyncConnection)
    async with aengine.connect() as conn:
        await conn.execution_options(isolation_level="AUTOCOMMIT")
        assert (await conn.get_raw_connection()).dbapi_connection.autocommit
    with pytest.raises(sa.exc.IntegrityError):
        async with aengine.begin() as conn:
            await conn.execute(things.insert(), [ROW])
    await aengine.dispose()
