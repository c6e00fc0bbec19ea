"""The oids of PostgreSQL's own types."""

# Written by `python tools/oids.py`: edit that.

from __future__ import annotations

INVALID_OID = 0

ACLITEM_OID = 1033
ANYARRAY_OID = 2277
BIT_OID = 1560
BOOL_OID = 16
BOX_OID = 603
BPCHAR_OID = 1042
BYTEA_OID = 17
CHAR_OID = 18
CID_OID = 29
CIDR_OID = 650
CIRCLE_OID = 718
CSTRING_OID = 2275
DATE_OID = 1082
DATEMULTIRANGE_OID = 4535
DATERANGE_OID = 3912
FLOAT4_OID = 700
FLOAT8_OID = 701
GTSVECTOR_OID = 3642
INET_OID = 869
INT2_OID = 21
INT2VECTOR_OID = 22
INT4_OID = 23
INT4MULTIRANGE_OID = 4451
INT4RANGE_OID = 3904
INT8_OID = 20
INT8MULTIRANGE_OID = 4536
INT8RANGE_OID = 3926
INTERVAL_OID = 1186
JSON_OID = 114
JSONB_OID = 3802
JSONPATH_OID = 4072
LINE_OID = 628
LSEG_OID = 601
MACADDR_OID = 829
MACADDR8_OID = 774
MONEY_OID = 790
NAME_OID = 19
NUMERIC_OID = 1700
NUMMULTIRANGE_OID = 4532
NUMRANGE_OID = 3906
OID_OID = 26
OID8_OID = 6437
OIDVECTOR_OID = 30
PATH_OID = 602
PG_LSN_OID = 3220
PG_SNAPSHOT_OID = 5038
POINT_OID = 600
POLYGON_OID = 604
RECORD_OID = 2249
REFCURSOR_OID = 1790
REGCLASS_OID = 2205
REGCOLLATION_OID = 4191
REGCONFIG_OID = 3734
REGDATABASE_OID = 6490
REGDICTIONARY_OID = 3769
REGNAMESPACE_OID = 4089
REGOPER_OID = 2203
REGOPERATOR_OID = 2204
REGPROC_OID = 24
REGPROCEDURE_OID = 2202
REGROLE_OID = 4096
REGTYPE_OID = 2206
TEXT_OID = 25
TID_OID = 27
TIME_OID = 1083
TIMESTAMP_OID = 1114
TIMESTAMPTZ_OID = 1184
TIMETZ_OID = 1266
TSMULTIRANGE_OID = 4533
TSQUERY_OID = 3615
TSRANGE_OID = 3908
TSTZMULTIRANGE_OID = 4534
TSTZRANGE_OID = 3910
TSVECTOR_OID = 3614
TXID_SNAPSHOT_OID = 2970
UNKNOWN_OID = 705
UUID_OID = 2950
VARBIT_OID = 1562
VARCHAR_OID = 1043
VOID_OID = 2278
XID_OID = 28
XID8_OID = 5069
XML_OID = 142

ACLITEM_ARRAY_OID = 1034
BIT_ARRAY_OID = 1561
BOOL_ARRAY_OID = 1000
BOX_ARRAY_OID = 1020
BPCHAR_ARRAY_OID = 1014
BYTEA_ARRAY_OID = 1001
CHAR_ARRAY_OID = 1002
CID_ARRAY_OID = 1012
CIDR_ARRAY_OID = 651
CIRCLE_ARRAY_OID = 719
CSTRING_ARRAY_OID = 1263
DATE_ARRAY_OID = 1182
DATEMULTIRANGE_ARRAY_OID = 6155
DATERANGE_ARRAY_OID = 3913
FLOAT4_ARRAY_OID = 1021
FLOAT8_ARRAY_OID = 1022
GTSVECTOR_ARRAY_OID = 3644
INET_ARRAY_OID = 1041
INT2_ARRAY_OID = 1005
INT2VECTOR_ARRAY_OID = 1006
INT4_ARRAY_OID = 1007
INT4MULTIRANGE_ARRAY_OID = 6150
INT4RANGE_ARRAY_OID = 3905
INT8_ARRAY_OID = 1016
INT8MULTIRANGE_ARRAY_OID = 6157
INT8RANGE_ARRAY_OID = 3927
INTERVAL_ARRAY_OID = 1187
JSON_ARRAY_OID = 199
JSONB_ARRAY_OID = 3807
JSONPATH_ARRAY_OID = 4073
LINE_ARRAY_OID = 629
LSEG_ARRAY_OID = 1018
MACADDR_ARRAY_OID = 1040
MACADDR8_ARRAY_OID = 775
MONEY_ARRAY_OID = 791
NAME_ARRAY_OID = 1003
NUMERIC_ARRAY_OID = 1231
NUMMULTIRANGE_ARRAY_OID = 6151
NUMRANGE_ARRAY_OID = 3907
OID_ARRAY_OID = 1028
OID8_ARRAY_OID = 6442
OIDVECTOR_ARRAY_OID = 1013
PATH_ARRAY_OID = 1019
PG_LSN_ARRAY_OID = 3221
PG_SNAPSHOT_ARRAY_OID = 5039
POINT_ARRAY_OID = 1017
POLYGON_ARRAY_OID = 1027
RECORD_ARRAY_OID = 2287
REFCURSOR_ARRAY_OID = 2201
REGCLASS_ARRAY_OID = 2210
REGCOLLATION_ARRAY_OID = 4192
REGCONFIG_ARRAY_OID = 3735
REGDATABASE_ARRAY_OID = 6491
REGDICTIONARY_ARRAY_OID = 3770
REGNAMESPACE_ARRAY_OID = 4090
REGOPER_ARRAY_OID = 2208
REGOPERATOR_ARRAY_OID = 2209
REGPROC_ARRAY_OID = 1008
REGPROCEDURE_ARRAY_OID = 2207
REGROLE_ARRAY_OID = 4097
REGTYPE_ARRAY_OID = 2211
TEXT_ARRAY_OID = 1009
TID_ARRAY_OID = 1010
TIME_ARRAY_OID = 1183
TIMESTAMP_ARRAY_OID = 1115
TIMESTAMPTZ_ARRAY_OID = 1185
TIMETZ_ARRAY_OID = 1270
TSMULTIRANGE_ARRAY_OID = 6152
TSQUERY_ARRAY_OID = 3645
TSRANGE_ARRAY_OID = 3909
TSTZMULTIRANGE_ARRAY_OID = 6153
TSTZRANGE_ARRAY_OID = 3911
TSVECTOR_ARRAY_OID = 3643
TXID_SNAPSHOT_ARRAY_OID = 2949
UUID_ARRAY_OID = 2951
VARBIT_ARRAY_OID = 1563
VARCHAR_ARRAY_OID = 1015
XID_ARRAY_OID = 1011
XID8_ARRAY_OID = 271
XML_ARRAY_OID = 143

# name, oid, array oid (0: no array), name in SQL, delimiter of array elements
TYPES: tuple[tuple[str, int, int, str, str], ...] = (
    ("aclitem", 1033, 1034, "aclitem", ","),
    ("anyarray", 2277, 0, "anyarray", ","),
    ("bit", 1560, 1561, "bit", ","),
    ("bool", 16, 1000, "boolean", ","),
    ("box", 603, 1020, "box", ";"),
    ("bpchar", 1042, 1014, "character", ","),
    ("bytea", 17, 1001, "bytea", ","),
    ('"char"', 18, 1002, '"char"', ","),
    ("cid", 29, 1012, "cid", ","),
    ("cidr", 650, 651, "cidr", ","),
    ("circle", 718, 719, "circle", ","),
    ("cstring", 2275, 1263, "cstring", ","),
    ("date", 1082, 1182, "date", ","),
    ("float4", 700, 1021, "real", ","),
    ("float8", 701, 1022, "double precision", ","),
    ("gtsvector", 3642, 3644, "gtsvector", ","),
    ("inet", 869, 1041, "inet", ","),
    ("int2", 21, 1005, "smallint", ","),
    ("int2vector", 22, 1006, "int2vector", ","),
    ("int4", 23, 1007, "integer", ","),
    ("int8", 20, 1016, "bigint", ","),
    ("interval", 1186, 1187, "interval", ","),
    ("json", 114, 199, "json", ","),
    ("jsonb", 3802, 3807, "jsonb", ","),
    ("jsonpath", 4072, 4073, "jsonpath", ","),
    ("line", 628, 629, "line", ","),
    ("lseg", 601, 1018, "lseg", ","),
    ("macaddr", 829, 1040, "macaddr", ","),
    ("macaddr8", 774, 775, "macaddr8", ","),
    ("money", 790, 791, "money", ","),
    ("name", 19, 1003, "name", ","),
    ("numeric", 1700, 1231, "numeric", ","),
    ("oid", 26, 1028, "oid", ","),
    ("oid8", 6437, 6442, "oid8", ","),
    ("oidvector", 30, 1013, "oidvector", ","),
    ("path", 602, 1019, "path", ","),
    ("pg_lsn", 3220, 3221, "pg_lsn", ","),
    ("pg_snapshot", 5038, 5039, "pg_snapshot", ","),
    ("point", 600, 1017, "point", ","),
    ("polygon", 604, 1027, "polygon", ","),
    ("record", 2249, 2287, "record", ","),
    ("refcursor", 1790, 2201, "refcursor", ","),
    ("regclass", 2205, 2210, "regclass", ","),
    ("regcollation", 4191, 4192, "regcollation", ","),
    ("regconfig", 3734, 3735, "regconfig", ","),
    ("regdatabase", 6490, 6491, "regdatabase", ","),
    ("regdictionary", 3769, 3770, "regdictionary", ","),
    ("regnamespace", 4089, 4090, "regnamespace", ","),
    ("regoper", 2203, 2208, "regoper", ","),
    ("regoperator", 2204, 2209, "regoperator", ","),
    ("regproc", 24, 1008, "regproc", ","),
    ("regprocedure", 2202, 2207, "regprocedure", ","),
    ("regrole", 4096, 4097, "regrole", ","),
    ("regtype", 2206, 2211, "regtype", ","),
    ("text", 25, 1009, "text", ","),
    ("tid", 27, 1010, "tid", ","),
    ("time", 1083, 1183, "time without time zone", ","),
    ("timestamp", 1114, 1115, "timestamp without time zone", ","),
    ("timestamptz", 1184, 1185, "timestamp with time zone", ","),
    ("timetz", 1266, 1270, "time with time zone", ","),
    ("tsquery", 3615, 3645, "tsquery", ","),
    ("tsvector", 3614, 3643, "tsvector", ","),
    ("txid_snapshot", 2970, 2949, "txid_snapshot", ","),
    ("unknown", 705, 0, "unknown", ","),
    ("uuid", 2950, 2951, "uuid", ","),
    ("varbit", 1562, 1563, "bit varying", ","),
    ("varchar", 1043, 1015, "character varying", ","),
    ("void", 2278, 0, "void", ","),
    ("xid", 28, 1011, "xid", ","),
    ("xid8", 5069, 271, "xid8", ","),
    ("xml", 142, 143, "xml", ","),
)

# name, oid, array oid, name in SQL, oid of the subtype
RANGES: tuple[tuple[str, int, int, str, int], ...] = (
    ("daterange", 3912, 3913, "daterange", 1082),
    ("int4range", 3904, 3905, "int4range", 23),
    ("int8range", 3926, 3927, "int8range", 20),
    ("numrange", 3906, 3907, "numrange", 1700),
    ("tsrange", 3908, 3909, "tsrange", 1114),
    ("tstzrange", 3910, 3911, "tstzrange", 1184),
)

# name, oid, array oid, name in SQL, oid of the range, oid of the subtype
MULTIRANGES: tuple[tuple[str, int, int, str, int, int], ...] = (
    ("datemultirange", 4535, 6155, "datemultirange", 3912, 1082),
    ("int4multirange", 4451, 6150, "int4multirange", 3904, 23),
    ("int8multirange", 4536, 6157, "int8multirange", 3926, 20),
    ("nummultirange", 4532, 6151, "nummultirange", 3906, 1700),
    ("tsmultirange", 4533, 6152, "tsmultirange", 3908, 1114),
    ("tstzmultirange", 4534, 6153, "tstzmultirange", 3910, 1184),
)
