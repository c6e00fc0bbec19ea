/* libpq for cffi: a table of its functions, filled when they have been found, and each of them under
 * its own name, which calls what the table has. Nothing of libpq is needed to compile this.
 * memory_cffi.c, which includes it, says what WAITING does.
 *
 * Generated from libpq.h by tools/libpq_bindings.py: edit those, not this.
 */

/* What the extension is made of, in a number that is in libpq_cffi.py too. */
#define PSYCOPG3_BINDING 2047226426

typedef unsigned int Oid;

typedef struct pg_conn PGconn;
typedef struct pg_result PGresult;
typedef struct pg_cancel PGcancel;
typedef struct pg_cancel_conn PGcancelConn;
typedef struct _stdio_file STREAM;

typedef struct pgNotify {
    char *relname;
    int be_pid;
    char *extra;
    struct pgNotify *next;
} PGnotify;

typedef struct _PQconninfoOption {
    char *keyword;
    char *envvar;
    char *compiled;
    char *val;
    char *label;
    char *dispchar;
    int dispsize;
} PQconninfoOption;

typedef struct pgresAttDesc {
    char *name;
    Oid tableid;
    int columnid;
    int format;
    Oid typid;
    int typlen;
    int atttypmod;
} PGresAttDesc;

typedef void (*PQnoticeReceiver)(void *arg, const PGresult *res);

static struct {
    int (*PQlibVersion)(void);
    void (*PQfreemem)(void *ptr);
    PGconn *(*PQconnectdb)(const char *conninfo);
    PGconn *(*PQconnectStart)(const char *conninfo);
    int (*PQconnectPoll)(PGconn *conn);
    void (*PQfinish)(PGconn *conn);
    void (*PQreset)(PGconn *conn);
    int (*PQresetStart)(PGconn *conn);
    int (*PQresetPoll)(PGconn *conn);
    int (*PQping)(const char *conninfo);
    PQconninfoOption *(*PQconninfo)(PGconn *conn);
    PQconninfoOption *(*PQconndefaults)(void);
    PQconninfoOption *(*PQconninfoParse)(const char *conninfo, char **errmsg);
    void (*PQconninfoFree)(PQconninfoOption *options);
    const char *(*PQdb)(const PGconn *conn);
    const char *(*PQuser)(const PGconn *conn);
    const char *(*PQpass)(const PGconn *conn);
    const char *(*PQhost)(const PGconn *conn);
    const char *(*PQhostaddr)(const PGconn *conn);
    const char *(*PQport)(const PGconn *conn);
    const char *(*PQtty)(const PGconn *conn);
    const char *(*PQoptions)(const PGconn *conn);
    int (*PQstatus)(const PGconn *conn);
    int (*PQtransactionStatus)(const PGconn *conn);
    const char *(*PQparameterStatus)(const PGconn *conn, const char *name);
    int (*PQprotocolVersion)(const PGconn *conn);
    int (*PQfullProtocolVersion)(const PGconn *conn);
    int (*PQserverVersion)(const PGconn *conn);
    const char *(*PQerrorMessage)(const PGconn *conn);
    int (*PQsocket)(const PGconn *conn);
    int (*PQbackendPID)(const PGconn *conn);
    int (*PQconnectionNeedsPassword)(const PGconn *conn);
    int (*PQconnectionUsedPassword)(const PGconn *conn);
    int (*PQconnectionUsedGSSAPI)(const PGconn *conn);
    int (*PQsslInUse)(PGconn *conn);
    const char *(*PQsslAttribute)(PGconn *conn, const char *name);
    int (*PQgssEncInUse)(PGconn *conn);
    PGresult *(*PQexec)(PGconn *conn, const char *query);
    PGresult *(*PQexecParams)(PGconn *conn, const char *query, int n, const Oid *types, const char *const *values, const int *lengths, const int *formats, int result_format);
    PGresult *(*PQprepare)(PGconn *conn, const char *name, const char *query, int n, const Oid *types);
    PGresult *(*PQexecPrepared)(PGconn *conn, const char *name, int n, const char *const *values, const int *lengths, const int *formats, int result_format);
    PGresult *(*PQdescribePrepared)(PGconn *conn, const char *name);
    PGresult *(*PQdescribePortal)(PGconn *conn, const char *name);
    PGresult *(*PQclosePrepared)(PGconn *conn, const char *name);
    PGresult *(*PQclosePortal)(PGconn *conn, const char *name);
    int (*PQsendQuery)(PGconn *conn, const char *query);
    int (*PQsendQueryParams)(PGconn *conn, const char *query, int n, const Oid *types, const char *const *values, const int *lengths, const int *formats, int result_format);
    int (*PQsendPrepare)(PGconn *conn, const char *name, const char *query, int n, const Oid *types);
    int (*PQsendQueryPrepared)(PGconn *conn, const char *name, int n, const char *const *values, const int *lengths, const int *formats, int result_format);
    int (*PQsendDescribePrepared)(PGconn *conn, const char *name);
    int (*PQsendDescribePortal)(PGconn *conn, const char *name);
    int (*PQsendClosePrepared)(PGconn *conn, const char *name);
    int (*PQsendClosePortal)(PGconn *conn, const char *name);
    PGresult *(*PQgetResult)(PGconn *conn);
    int (*PQconsumeInput)(PGconn *conn);
    int (*PQisBusy)(PGconn *conn);
    int (*PQsetnonblocking)(PGconn *conn, int on);
    int (*PQisnonblocking)(const PGconn *conn);
    int (*PQflush)(PGconn *conn);
    int (*PQsetSingleRowMode)(PGconn *conn);
    int (*PQsetChunkedRowsMode)(PGconn *conn, int rows);
    int (*PQpipelineStatus)(const PGconn *conn);
    int (*PQenterPipelineMode)(PGconn *conn);
    int (*PQexitPipelineMode)(PGconn *conn);
    int (*PQpipelineSync)(PGconn *conn);
    int (*PQsendPipelineSync)(PGconn *conn);
    int (*PQsendFlushRequest)(PGconn *conn);
    int (*PQresultStatus)(const PGresult *res);
    const char *(*PQresultErrorMessage)(const PGresult *res);
    const char *(*PQresultErrorField)(const PGresult *res, int field);
    void (*PQclear)(PGresult *res);
    int (*PQntuples)(const PGresult *res);
    int (*PQnfields)(const PGresult *res);
    const char *(*PQfname)(const PGresult *res, int column);
    Oid (*PQftable)(const PGresult *res, int column);
    int (*PQftablecol)(const PGresult *res, int column);
    int (*PQfformat)(const PGresult *res, int column);
    Oid (*PQftype)(const PGresult *res, int column);
    int (*PQfmod)(const PGresult *res, int column);
    int (*PQfsize)(const PGresult *res, int column);
    int (*PQbinaryTuples)(const PGresult *res);
    const char *(*PQgetvalue)(const PGresult *res, int row, int column);
    int (*PQgetisnull)(const PGresult *res, int row, int column);
    int (*PQgetlength)(const PGresult *res, int row, int column);
    int (*PQnparams)(const PGresult *res);
    Oid (*PQparamtype)(const PGresult *res, int number);
    size_t (*PQresultMemorySize)(const PGresult *res);
    const char *(*PQcmdStatus)(PGresult *res);
    const char *(*PQcmdTuples)(PGresult *res);
    Oid (*PQoidValue)(const PGresult *res);
    PGresult *(*PQmakeEmptyPGresult)(PGconn *conn, int status);
    int (*PQsetResultAttrs)(PGresult *res, int n, PGresAttDesc *descriptions);
    char *(*PQescapeLiteral)(PGconn *conn, const char *text, size_t length);
    char *(*PQescapeIdentifier)(PGconn *conn, const char *text, size_t length);
    size_t (*PQescapeStringConn)(PGconn *conn, char *to, const char *text, size_t length, int *error);
    size_t (*PQescapeString)(char *to, const char *text, size_t length);
    char *(*PQescapeByteaConn)(PGconn *conn, const char *data, size_t length, size_t *to_length);
    char *(*PQescapeBytea)(const char *data, size_t length, size_t *to_length);
    char *(*PQunescapeBytea)(const char *text, size_t *to_length);
    int (*PQputCopyData)(PGconn *conn, const char *data, int length);
    int (*PQputCopyEnd)(PGconn *conn, const char *error);
    int (*PQgetCopyData)(PGconn *conn, char **data, int asynchronous);
    PGcancel *(*PQgetCancel)(PGconn *conn);
    void (*PQfreeCancel)(PGcancel *cancel);
    int (*PQcancel)(PGcancel *cancel, char *error, int size);
    PGcancelConn *(*PQcancelCreate)(PGconn *conn);
    int (*PQcancelStart)(PGcancelConn *cancel);
    int (*PQcancelBlocking)(PGcancelConn *cancel);
    int (*PQcancelPoll)(PGcancelConn *cancel);
    int (*PQcancelStatus)(const PGcancelConn *cancel);
    int (*PQcancelSocket)(const PGcancelConn *cancel);
    const char *(*PQcancelErrorMessage)(const PGcancelConn *cancel);
    void (*PQcancelReset)(PGcancelConn *cancel);
    void (*PQcancelFinish)(PGcancelConn *cancel);
    PQnoticeReceiver (*PQsetNoticeReceiver)(PGconn *conn, PQnoticeReceiver receiver, void *arg);
    PGnotify *(*PQnotifies)(PGconn *conn);
    void (*PQtrace)(PGconn *conn, STREAM *stream);
    void (*PQuntrace)(PGconn *conn);
    void (*PQsetTraceFlags)(PGconn *conn, int flags);
    char *(*PQencryptPasswordConn)(PGconn *conn, const char *password, const char *user, const char *algorithm);
    PGresult *(*PQchangePassword)(PGconn *conn, const char *user, const char *password);
} libpq;

/* Their names, in the same order. */
static const char *const libpq_names[] = {
    "PQlibVersion",
    "PQfreemem",
    "PQconnectdb",
    "PQconnectStart",
    "PQconnectPoll",
    "PQfinish",
    "PQreset",
    "PQresetStart",
    "PQresetPoll",
    "PQping",
    "PQconninfo",
    "PQconndefaults",
    "PQconninfoParse",
    "PQconninfoFree",
    "PQdb",
    "PQuser",
    "PQpass",
    "PQhost",
    "PQhostaddr",
    "PQport",
    "PQtty",
    "PQoptions",
    "PQstatus",
    "PQtransactionStatus",
    "PQparameterStatus",
    "PQprotocolVersion",
    "PQfullProtocolVersion",
    "PQserverVersion",
    "PQerrorMessage",
    "PQsocket",
    "PQbackendPID",
    "PQconnectionNeedsPassword",
    "PQconnectionUsedPassword",
    "PQconnectionUsedGSSAPI",
    "PQsslInUse",
    "PQsslAttribute",
    "PQgssEncInUse",
    "PQexec",
    "PQexecParams",
    "PQprepare",
    "PQexecPrepared",
    "PQdescribePrepared",
    "PQdescribePortal",
    "PQclosePrepared",
    "PQclosePortal",
    "PQsendQuery",
    "PQsendQueryParams",
    "PQsendPrepare",
    "PQsendQueryPrepared",
    "PQsendDescribePrepared",
    "PQsendDescribePortal",
    "PQsendClosePrepared",
    "PQsendClosePortal",
    "PQgetResult",
    "PQconsumeInput",
    "PQisBusy",
    "PQsetnonblocking",
    "PQisnonblocking",
    "PQflush",
    "PQsetSingleRowMode",
    "PQsetChunkedRowsMode",
    "PQpipelineStatus",
    "PQenterPipelineMode",
    "PQexitPipelineMode",
    "PQpipelineSync",
    "PQsendPipelineSync",
    "PQsendFlushRequest",
    "PQresultStatus",
    "PQresultErrorMessage",
    "PQresultErrorField",
    "PQclear",
    "PQntuples",
    "PQnfields",
    "PQfname",
    "PQftable",
    "PQftablecol",
    "PQfformat",
    "PQftype",
    "PQfmod",
    "PQfsize",
    "PQbinaryTuples",
    "PQgetvalue",
    "PQgetisnull",
    "PQgetlength",
    "PQnparams",
    "PQparamtype",
    "PQresultMemorySize",
    "PQcmdStatus",
    "PQcmdTuples",
    "PQoidValue",
    "PQmakeEmptyPGresult",
    "PQsetResultAttrs",
    "PQescapeLiteral",
    "PQescapeIdentifier",
    "PQescapeStringConn",
    "PQescapeString",
    "PQescapeByteaConn",
    "PQescapeBytea",
    "PQunescapeBytea",
    "PQputCopyData",
    "PQputCopyEnd",
    "PQgetCopyData",
    "PQgetCancel",
    "PQfreeCancel",
    "PQcancel",
    "PQcancelCreate",
    "PQcancelStart",
    "PQcancelBlocking",
    "PQcancelPoll",
    "PQcancelStatus",
    "PQcancelSocket",
    "PQcancelErrorMessage",
    "PQcancelReset",
    "PQcancelFinish",
    "PQsetNoticeReceiver",
    "PQnotifies",
    "PQtrace",
    "PQuntrace",
    "PQsetTraceFlags",
    "PQencryptPasswordConn",
    "PQchangePassword",
};

static int PQlibVersion(void)
{
    return libpq.PQlibVersion();
}

static void PQfreemem(void *ptr)
{
    libpq.PQfreemem(ptr);
}

static PGconn *PQconnectdb(const char *conninfo)
{
    PGconn *result;
    WAITING(result = libpq.PQconnectdb(conninfo));
    return result;
}

static PGconn *PQconnectStart(const char *conninfo)
{
    PGconn *result;
    WAITING(result = libpq.PQconnectStart(conninfo));
    return result;
}

static int PQconnectPoll(PGconn *conn)
{
    int result;
    WAITING(result = libpq.PQconnectPoll(conn));
    return result;
}

static void PQfinish(PGconn *conn)
{
    WAITING(libpq.PQfinish(conn));
}

static void PQreset(PGconn *conn)
{
    WAITING(libpq.PQreset(conn));
}

static int PQresetStart(PGconn *conn)
{
    int result;
    WAITING(result = libpq.PQresetStart(conn));
    return result;
}

static int PQresetPoll(PGconn *conn)
{
    int result;
    WAITING(result = libpq.PQresetPoll(conn));
    return result;
}

static int PQping(const char *conninfo)
{
    int result;
    WAITING(result = libpq.PQping(conninfo));
    return result;
}

static PQconninfoOption *PQconninfo(PGconn *conn)
{
    return libpq.PQconninfo(conn);
}

static PQconninfoOption *PQconndefaults(void)
{
    PQconninfoOption *result;
    WAITING(result = libpq.PQconndefaults());
    return result;
}

static PQconninfoOption *PQconninfoParse(const char *conninfo, char **errmsg)
{
    return libpq.PQconninfoParse(conninfo, errmsg);
}

static void PQconninfoFree(PQconninfoOption *options)
{
    libpq.PQconninfoFree(options);
}

static const char *PQdb(const PGconn *conn)
{
    return text_copy(libpq.PQdb(conn));
}

static const char *PQuser(const PGconn *conn)
{
    return text_copy(libpq.PQuser(conn));
}

static const char *PQpass(const PGconn *conn)
{
    return text_copy(libpq.PQpass(conn));
}

static const char *PQhost(const PGconn *conn)
{
    return text_copy(libpq.PQhost(conn));
}

static const char *PQhostaddr(const PGconn *conn)
{
    return text_copy(libpq.PQhostaddr(conn));
}

static const char *PQport(const PGconn *conn)
{
    return text_copy(libpq.PQport(conn));
}

static const char *PQtty(const PGconn *conn)
{
    return text_copy(libpq.PQtty(conn));
}

static const char *PQoptions(const PGconn *conn)
{
    return text_copy(libpq.PQoptions(conn));
}

static int PQstatus(const PGconn *conn)
{
    return libpq.PQstatus(conn);
}

static int PQtransactionStatus(const PGconn *conn)
{
    return libpq.PQtransactionStatus(conn);
}

static const char *PQparameterStatus(const PGconn *conn, const char *name)
{
    return text_copy(libpq.PQparameterStatus(conn, name));
}

static int PQprotocolVersion(const PGconn *conn)
{
    return libpq.PQprotocolVersion(conn);
}

static int PQfullProtocolVersion(const PGconn *conn)
{
    return libpq.PQfullProtocolVersion(conn);
}

static int PQserverVersion(const PGconn *conn)
{
    return libpq.PQserverVersion(conn);
}

static const char *PQerrorMessage(const PGconn *conn)
{
    return text_copy(libpq.PQerrorMessage(conn));
}

static int PQsocket(const PGconn *conn)
{
    return libpq.PQsocket(conn);
}

static int PQbackendPID(const PGconn *conn)
{
    return libpq.PQbackendPID(conn);
}

static int PQconnectionNeedsPassword(const PGconn *conn)
{
    return libpq.PQconnectionNeedsPassword(conn);
}

static int PQconnectionUsedPassword(const PGconn *conn)
{
    return libpq.PQconnectionUsedPassword(conn);
}

static int PQconnectionUsedGSSAPI(const PGconn *conn)
{
    return libpq.PQconnectionUsedGSSAPI(conn);
}

static int PQsslInUse(PGconn *conn)
{
    return libpq.PQsslInUse(conn);
}

static const char *PQsslAttribute(PGconn *conn, const char *name)
{
    return text_copy(libpq.PQsslAttribute(conn, name));
}

static int PQgssEncInUse(PGconn *conn)
{
    return libpq.PQgssEncInUse(conn);
}

static PGresult *PQexec(PGconn *conn, const char *query)
{
    PGresult *result;
    WAITING(result = libpq.PQexec(conn, query));
    return result;
}

static PGresult *PQexecParams(PGconn *conn, const char *query, int n, const Oid *types, const char *const *values, const int *lengths, const int *formats, int result_format)
{
    PGresult *result;
    WAITING(result = libpq.PQexecParams(conn, query, n, types, values, lengths, formats, result_format));
    return result;
}

static PGresult *PQprepare(PGconn *conn, const char *name, const char *query, int n, const Oid *types)
{
    PGresult *result;
    WAITING(result = libpq.PQprepare(conn, name, query, n, types));
    return result;
}

static PGresult *PQexecPrepared(PGconn *conn, const char *name, int n, const char *const *values, const int *lengths, const int *formats, int result_format)
{
    PGresult *result;
    WAITING(result = libpq.PQexecPrepared(conn, name, n, values, lengths, formats, result_format));
    return result;
}

static PGresult *PQdescribePrepared(PGconn *conn, const char *name)
{
    PGresult *result;
    WAITING(result = libpq.PQdescribePrepared(conn, name));
    return result;
}

static PGresult *PQdescribePortal(PGconn *conn, const char *name)
{
    PGresult *result;
    WAITING(result = libpq.PQdescribePortal(conn, name));
    return result;
}

static PGresult *PQclosePrepared(PGconn *conn, const char *name)
{
    PGresult *result;
    WAITING(result = libpq.PQclosePrepared(conn, name));
    return result;
}

static PGresult *PQclosePortal(PGconn *conn, const char *name)
{
    PGresult *result;
    WAITING(result = libpq.PQclosePortal(conn, name));
    return result;
}

static int PQsendQuery(PGconn *conn, const char *query)
{
    int result;
    WAITING(result = libpq.PQsendQuery(conn, query));
    return result;
}

static int PQsendQueryParams(PGconn *conn, const char *query, int n, const Oid *types, const char *const *values, const int *lengths, const int *formats, int result_format)
{
    int result;
    WAITING(result = libpq.PQsendQueryParams(conn, query, n, types, values, lengths, formats, result_format));
    return result;
}

static int PQsendPrepare(PGconn *conn, const char *name, const char *query, int n, const Oid *types)
{
    int result;
    WAITING(result = libpq.PQsendPrepare(conn, name, query, n, types));
    return result;
}

static int PQsendQueryPrepared(PGconn *conn, const char *name, int n, const char *const *values, const int *lengths, const int *formats, int result_format)
{
    int result;
    WAITING(result = libpq.PQsendQueryPrepared(conn, name, n, values, lengths, formats, result_format));
    return result;
}

static int PQsendDescribePrepared(PGconn *conn, const char *name)
{
    int result;
    WAITING(result = libpq.PQsendDescribePrepared(conn, name));
    return result;
}

static int PQsendDescribePortal(PGconn *conn, const char *name)
{
    int result;
    WAITING(result = libpq.PQsendDescribePortal(conn, name));
    return result;
}

static int PQsendClosePrepared(PGconn *conn, const char *name)
{
    int result;
    WAITING(result = libpq.PQsendClosePrepared(conn, name));
    return result;
}

static int PQsendClosePortal(PGconn *conn, const char *name)
{
    int result;
    WAITING(result = libpq.PQsendClosePortal(conn, name));
    return result;
}

static PGresult *PQgetResult(PGconn *conn)
{
    PGresult *result;
    WAITING(result = libpq.PQgetResult(conn));
    return result;
}

static int PQconsumeInput(PGconn *conn)
{
    int result;
    WAITING(result = libpq.PQconsumeInput(conn));
    return result;
}

static int PQisBusy(PGconn *conn)
{
    int result;
    WAITING(result = libpq.PQisBusy(conn));
    return result;
}

static int PQsetnonblocking(PGconn *conn, int on)
{
    int result;
    WAITING(result = libpq.PQsetnonblocking(conn, on));
    return result;
}

static int PQisnonblocking(const PGconn *conn)
{
    return libpq.PQisnonblocking(conn);
}

static int PQflush(PGconn *conn)
{
    int result;
    WAITING(result = libpq.PQflush(conn));
    return result;
}

static int PQsetSingleRowMode(PGconn *conn)
{
    return libpq.PQsetSingleRowMode(conn);
}

static int PQsetChunkedRowsMode(PGconn *conn, int rows)
{
    return libpq.PQsetChunkedRowsMode(conn, rows);
}

static int PQpipelineStatus(const PGconn *conn)
{
    return libpq.PQpipelineStatus(conn);
}

static int PQenterPipelineMode(PGconn *conn)
{
    return libpq.PQenterPipelineMode(conn);
}

static int PQexitPipelineMode(PGconn *conn)
{
    int result;
    WAITING(result = libpq.PQexitPipelineMode(conn));
    return result;
}

static int PQpipelineSync(PGconn *conn)
{
    int result;
    WAITING(result = libpq.PQpipelineSync(conn));
    return result;
}

static int PQsendPipelineSync(PGconn *conn)
{
    int result;
    WAITING(result = libpq.PQsendPipelineSync(conn));
    return result;
}

static int PQsendFlushRequest(PGconn *conn)
{
    int result;
    WAITING(result = libpq.PQsendFlushRequest(conn));
    return result;
}

static int PQresultStatus(const PGresult *res)
{
    return libpq.PQresultStatus(res);
}

static const char *PQresultErrorMessage(const PGresult *res)
{
    return libpq.PQresultErrorMessage(res);
}

static const char *PQresultErrorField(const PGresult *res, int field)
{
    return libpq.PQresultErrorField(res, field);
}

static void PQclear(PGresult *res)
{
    WAITING(libpq.PQclear(res));
}

static int PQntuples(const PGresult *res)
{
    return libpq.PQntuples(res);
}

static int PQnfields(const PGresult *res)
{
    return libpq.PQnfields(res);
}

static const char *PQfname(const PGresult *res, int column)
{
    return libpq.PQfname(res, column);
}

static Oid PQftable(const PGresult *res, int column)
{
    return libpq.PQftable(res, column);
}

static int PQftablecol(const PGresult *res, int column)
{
    return libpq.PQftablecol(res, column);
}

static int PQfformat(const PGresult *res, int column)
{
    return libpq.PQfformat(res, column);
}

static Oid PQftype(const PGresult *res, int column)
{
    return libpq.PQftype(res, column);
}

static int PQfmod(const PGresult *res, int column)
{
    return libpq.PQfmod(res, column);
}

static int PQfsize(const PGresult *res, int column)
{
    return libpq.PQfsize(res, column);
}

static int PQbinaryTuples(const PGresult *res)
{
    return libpq.PQbinaryTuples(res);
}

static const char *PQgetvalue(const PGresult *res, int row, int column)
{
    return libpq.PQgetvalue(res, row, column);
}

static int PQgetisnull(const PGresult *res, int row, int column)
{
    return libpq.PQgetisnull(res, row, column);
}

static int PQgetlength(const PGresult *res, int row, int column)
{
    return libpq.PQgetlength(res, row, column);
}

static int PQnparams(const PGresult *res)
{
    return libpq.PQnparams(res);
}

static Oid PQparamtype(const PGresult *res, int number)
{
    return libpq.PQparamtype(res, number);
}

static size_t PQresultMemorySize(const PGresult *res)
{
    return libpq.PQresultMemorySize(res);
}

static const char *PQcmdStatus(PGresult *res)
{
    return libpq.PQcmdStatus(res);
}

static const char *PQcmdTuples(PGresult *res)
{
    return libpq.PQcmdTuples(res);
}

static Oid PQoidValue(const PGresult *res)
{
    return libpq.PQoidValue(res);
}

static PGresult *PQmakeEmptyPGresult(PGconn *conn, int status)
{
    return libpq.PQmakeEmptyPGresult(conn, status);
}

static int PQsetResultAttrs(PGresult *res, int n, PGresAttDesc *descriptions)
{
    return libpq.PQsetResultAttrs(res, n, descriptions);
}

static char *PQescapeLiteral(PGconn *conn, const char *text, size_t length)
{
    char *result;
    WAITING(result = libpq.PQescapeLiteral(conn, text, length));
    return result;
}

static char *PQescapeIdentifier(PGconn *conn, const char *text, size_t length)
{
    char *result;
    WAITING(result = libpq.PQescapeIdentifier(conn, text, length));
    return result;
}

static size_t PQescapeStringConn(PGconn *conn, char *to, const char *text, size_t length, int *error)
{
    size_t result;
    WAITING(result = libpq.PQescapeStringConn(conn, to, text, length, error));
    return result;
}

static size_t PQescapeString(char *to, const char *text, size_t length)
{
    size_t result;
    WAITING(result = libpq.PQescapeString(to, text, length));
    return result;
}

static char *PQescapeByteaConn(PGconn *conn, const char *data, size_t length, size_t *to_length)
{
    char *result;
    WAITING(result = libpq.PQescapeByteaConn(conn, data, length, to_length));
    return result;
}

static char *PQescapeBytea(const char *data, size_t length, size_t *to_length)
{
    char *result;
    WAITING(result = libpq.PQescapeBytea(data, length, to_length));
    return result;
}

static char *PQunescapeBytea(const char *text, size_t *to_length)
{
    char *result;
    WAITING(result = libpq.PQunescapeBytea(text, to_length));
    return result;
}

static int PQputCopyData(PGconn *conn, const char *data, int length)
{
    int result;
    WAITING(result = libpq.PQputCopyData(conn, data, length));
    return result;
}

static int PQputCopyEnd(PGconn *conn, const char *error)
{
    int result;
    WAITING(result = libpq.PQputCopyEnd(conn, error));
    return result;
}

static int PQgetCopyData(PGconn *conn, char **data, int asynchronous)
{
    int result;
    WAITING(result = libpq.PQgetCopyData(conn, data, asynchronous));
    return result;
}

static PGcancel *PQgetCancel(PGconn *conn)
{
    return libpq.PQgetCancel(conn);
}

static void PQfreeCancel(PGcancel *cancel)
{
    libpq.PQfreeCancel(cancel);
}

static int PQcancel(PGcancel *cancel, char *error, int size)
{
    int result;
    WAITING(result = libpq.PQcancel(cancel, error, size));
    return result;
}

static PGcancelConn *PQcancelCreate(PGconn *conn)
{
    return libpq.PQcancelCreate(conn);
}

static int PQcancelStart(PGcancelConn *cancel)
{
    int result;
    WAITING(result = libpq.PQcancelStart(cancel));
    return result;
}

static int PQcancelBlocking(PGcancelConn *cancel)
{
    int result;
    WAITING(result = libpq.PQcancelBlocking(cancel));
    return result;
}

static int PQcancelPoll(PGcancelConn *cancel)
{
    int result;
    WAITING(result = libpq.PQcancelPoll(cancel));
    return result;
}

static int PQcancelStatus(const PGcancelConn *cancel)
{
    return libpq.PQcancelStatus(cancel);
}

static int PQcancelSocket(const PGcancelConn *cancel)
{
    return libpq.PQcancelSocket(cancel);
}

static const char *PQcancelErrorMessage(const PGcancelConn *cancel)
{
    return text_copy(libpq.PQcancelErrorMessage(cancel));
}

static void PQcancelReset(PGcancelConn *cancel)
{
    WAITING(libpq.PQcancelReset(cancel));
}

static void PQcancelFinish(PGcancelConn *cancel)
{
    WAITING(libpq.PQcancelFinish(cancel));
}

static PQnoticeReceiver PQsetNoticeReceiver(PGconn *conn, PQnoticeReceiver receiver, void *arg)
{
    return libpq.PQsetNoticeReceiver(conn, receiver, arg);
}

static PGnotify *PQnotifies(PGconn *conn)
{
    PGnotify *result;
    WAITING(result = libpq.PQnotifies(conn));
    return result;
}

static void PQtrace(PGconn *conn, STREAM *stream)
{
    libpq.PQtrace(conn, stream);
}

static void PQuntrace(PGconn *conn)
{
    WAITING(libpq.PQuntrace(conn));
}

static void PQsetTraceFlags(PGconn *conn, int flags)
{
    libpq.PQsetTraceFlags(conn, flags);
}

static char *PQencryptPasswordConn(PGconn *conn, const char *password, const char *user, const char *algorithm)
{
    char *result;
    WAITING(result = libpq.PQencryptPasswordConn(conn, password, user, algorithm));
    return result;
}

static PGresult *PQchangePassword(PGconn *conn, const char *user, const char *password)
{
    PGresult *result;
    WAITING(result = libpq.PQchangePassword(conn, user, password));
    return result;
}
