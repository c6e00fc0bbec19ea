"""The oids of PostgreSQL's own types, against a server's catalogue."""

from __future__ import annotations

from psycopg3 import _oids, pq


def catalogue(dsn: str) -> dict[int, tuple[str, ...]]:
    """What the server has, as text, by oid: name, array, SQL name, delimiter, subtype, range."""
    conn = pq.PGconn.connect(dsn.encode())
    assert conn.status == pq.ConnStatus.OK, conn.error_message
    result = conn.exec_(
        b"""select t.oid, t.typname, t.typarray, format_type(t.oid, null), t.typdelim,
            coalesce(r.rngsubtype, m.rngsubtype, 0), coalesce(m.rngtypid, 0)
        from pg_type t
        left join pg_range r on r.rngtypid = t.oid
        left join pg_range m on m.rngmultitypid = t.oid
        where t.oid < 10000"""
    )
    assert result.status == pq.ExecStatus.TUPLES_OK, result.error_message
    rows = [
        [(result.get_value(row, column) or b"").decode() for column in range(7)]
        for row in range(result.ntuples)
    ]
    conn.finish()
    return {int(row[0]): tuple(row[1:]) for row in rows}


SINCE_19 = {
    _oids.OID8_OID,
    _oids.REGDATABASE_OID,
    _oids.OID8_ARRAY_OID,
    _oids.REGDATABASE_ARRAY_OID,
}


def test_tables_are_the_servers(dsn: str) -> None:
    server = catalogue(dsn)
    ours = {
        **{oid: (name, array, sql, delim, 0, 0) for name, oid, array, sql, delim in _oids.TYPES},
        **{oid: (name, array, sql, ",", sub, 0) for name, oid, array, sql, sub in _oids.RANGES},
        **{
            oid: (name, array, sql, ",", sub, range_oid)
            for name, oid, array, sql, range_oid, sub in _oids.MULTIRANGES
        },
    }
    assert len(ours) >= 78
    for oid, (name, *rest) in ours.items():
        if oid in SINCE_19 - server.keys():
            continue
        assert server[oid] == (name.strip('"'), *map(str, rest))


def test_constants_are_the_servers(dsn: str) -> None:
    server = catalogue(dsn)
    constants = {name: oid for name, oid in vars(_oids).items() if name.endswith("_OID")}
    assert constants.pop("INVALID_OID") == 0
    assert len(constants) >= 150
    for constant, oid in constants.items():
        if oid in SINCE_19 - server.keys():
            continue
        name = constant.removesuffix("_OID").lower()
        if name.endswith("_array"):
            element = constants[constant.replace("_ARRAY_OID", "_OID")]
            assert int(server[element][1]) == oid
        else:
            assert server[oid][0] == name
