/* The functions of libpq that psycopg3 calls: the one list, from which every binding takes its
 * signatures (tools/libpq_bindings.py generates them). Plain C that cffi's cdef() takes as it is.
 *
 * What the types say to the generator:
 *   const char *  returned: a string that stays libpq's; the binding gives a copy, or None for NULL
 *   char *        returned: memory that is ours and goes back through PQfreemem
 *   T *           of an opaque T: a pointer that Python code carries but never looks into
 *
 * What a comment after a declaration says:
 *   17            the first libpq that has the function, where that is later than 14, our oldest;
 *                 in an older one it raises NotSupportedError when called
 *   waits         may wait for the network, work for long, or call a notice handler: other threads run
 *                 meanwhile, and Handle._call guards the object. All others return at once and keep the
 *                 GIL, which is faster, and in CPython with a GIL keeps another thread from freeing the
 *                 object between our check and the call
 *   hot           called for each value, column or query: the caller has checked its arguments,
 *                 and ctypes is spared the check (100 ns an argument)
 */

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

/* The library */
int PQlibVersion(void);
void PQfreemem(void *ptr);

/* Connecting */
PGconn *PQconnectdb(const char *conninfo); /* waits */
PGconn *PQconnectStart(const char *conninfo); /* waits */
int PQconnectPoll(PGconn *conn); /* waits */
void PQfinish(PGconn *conn); /* waits */
void PQreset(PGconn *conn); /* waits */
int PQresetStart(PGconn *conn); /* waits */
int PQresetPoll(PGconn *conn); /* waits */
int PQping(const char *conninfo); /* waits */

/* Connection strings */
PQconninfoOption *PQconninfo(PGconn *conn);
PQconninfoOption *PQconndefaults(void); /* waits */
PQconninfoOption *PQconninfoParse(const char *conninfo, char **errmsg);
void PQconninfoFree(PQconninfoOption *options);

/* What a connection is */
const char *PQdb(const PGconn *conn);
const char *PQuser(const PGconn *conn);
const char *PQpass(const PGconn *conn);
const char *PQhost(const PGconn *conn);
const char *PQhostaddr(const PGconn *conn);
const char *PQport(const PGconn *conn);
const char *PQtty(const PGconn *conn);
const char *PQoptions(const PGconn *conn);
int PQstatus(const PGconn *conn); /* hot */
int PQtransactionStatus(const PGconn *conn); /* hot */
const char *PQparameterStatus(const PGconn *conn, const char *name);
int PQprotocolVersion(const PGconn *conn);
int PQfullProtocolVersion(const PGconn *conn); /* 18 */
int PQserverVersion(const PGconn *conn);
const char *PQerrorMessage(const PGconn *conn);
int PQsocket(const PGconn *conn); /* hot */
int PQbackendPID(const PGconn *conn);
int PQconnectionNeedsPassword(const PGconn *conn);
int PQconnectionUsedPassword(const PGconn *conn);
int PQconnectionUsedGSSAPI(const PGconn *conn); /* 16 */
int PQsslInUse(PGconn *conn);
const char *PQsslAttribute(PGconn *conn, const char *name);
int PQgssEncInUse(PGconn *conn);

/* Commands: one call that sends and waits */
PGresult *PQexec(PGconn *conn, const char *query); /* waits */
PGresult *PQexecParams(PGconn *conn, const char *query, int n, const Oid *types,
    const char *const *values, const int *lengths, const int *formats, int result_format); /* waits hot */
PGresult *PQprepare(PGconn *conn, const char *name, const char *query, int n, const Oid *types); /* waits */
PGresult *PQexecPrepared(PGconn *conn, const char *name, int n, const char *const *values,
    const int *lengths, const int *formats, int result_format); /* waits hot */
PGresult *PQdescribePrepared(PGconn *conn, const char *name); /* waits */
PGresult *PQdescribePortal(PGconn *conn, const char *name); /* waits */
PGresult *PQclosePrepared(PGconn *conn, const char *name); /* waits 17 */
PGresult *PQclosePortal(PGconn *conn, const char *name); /* waits 17 */

/* Commands: sent now, answered later */
int PQsendQuery(PGconn *conn, const char *query); /* waits */
int PQsendQueryParams(PGconn *conn, const char *query, int n, const Oid *types,
    const char *const *values, const int *lengths, const int *formats, int result_format); /* waits hot */
int PQsendPrepare(PGconn *conn, const char *name, const char *query, int n, const Oid *types); /* waits */
int PQsendQueryPrepared(PGconn *conn, const char *name, int n, const char *const *values,
    const int *lengths, const int *formats, int result_format); /* waits hot */
int PQsendDescribePrepared(PGconn *conn, const char *name); /* waits */
int PQsendDescribePortal(PGconn *conn, const char *name); /* waits */
int PQsendClosePrepared(PGconn *conn, const char *name); /* waits 17 */
int PQsendClosePortal(PGconn *conn, const char *name); /* waits 17 */
PGresult *PQgetResult(PGconn *conn); /* waits hot */
int PQconsumeInput(PGconn *conn); /* waits hot */
int PQisBusy(PGconn *conn); /* waits hot */
int PQsetnonblocking(PGconn *conn, int on); /* waits */
int PQisnonblocking(const PGconn *conn);
int PQflush(PGconn *conn); /* waits hot */
int PQsetSingleRowMode(PGconn *conn);
int PQsetChunkedRowsMode(PGconn *conn, int rows); /* 17 */

/* Pipeline mode */
int PQpipelineStatus(const PGconn *conn); /* hot */
int PQenterPipelineMode(PGconn *conn);
int PQexitPipelineMode(PGconn *conn); /* waits */
int PQpipelineSync(PGconn *conn); /* waits */
int PQsendPipelineSync(PGconn *conn); /* waits 17 */
int PQsendFlushRequest(PGconn *conn); /* waits */

/* Results */
int PQresultStatus(const PGresult *res); /* hot */
const char *PQresultErrorMessage(const PGresult *res);
const char *PQresultErrorField(const PGresult *res, int field);
void PQclear(PGresult *res); /* waits */
int PQntuples(const PGresult *res); /* hot */
int PQnfields(const PGresult *res); /* hot */
const char *PQfname(const PGresult *res, int column); /* hot */
Oid PQftable(const PGresult *res, int column); /* hot */
int PQftablecol(const PGresult *res, int column); /* hot */
int PQfformat(const PGresult *res, int column); /* hot */
Oid PQftype(const PGresult *res, int column); /* hot */
int PQfmod(const PGresult *res, int column); /* hot */
int PQfsize(const PGresult *res, int column); /* hot */
int PQbinaryTuples(const PGresult *res);
const char *PQgetvalue(const PGresult *res, int row, int column); /* hot */
int PQgetisnull(const PGresult *res, int row, int column); /* hot */
int PQgetlength(const PGresult *res, int row, int column); /* hot */
int PQnparams(const PGresult *res);
Oid PQparamtype(const PGresult *res, int number);
size_t PQresultMemorySize(const PGresult *res);
const char *PQcmdStatus(PGresult *res);
const char *PQcmdTuples(PGresult *res);
Oid PQoidValue(const PGresult *res);
PGresult *PQmakeEmptyPGresult(PGconn *conn, int status);
int PQsetResultAttrs(PGresult *res, int n, PGresAttDesc *descriptions);

/* Escaping: the work grows with the text, so other threads may run */
char *PQescapeLiteral(PGconn *conn, const char *text, size_t length); /* waits */
char *PQescapeIdentifier(PGconn *conn, const char *text, size_t length); /* waits */
size_t PQescapeStringConn(PGconn *conn, char *to, const char *text, size_t length, int *error); /* waits */
size_t PQescapeString(char *to, const char *text, size_t length); /* waits */
char *PQescapeByteaConn(PGconn *conn, const char *data, size_t length, size_t *to_length); /* waits */
char *PQescapeBytea(const char *data, size_t length, size_t *to_length); /* waits */
char *PQunescapeBytea(const char *text, size_t *to_length); /* waits */

/* COPY */
int PQputCopyData(PGconn *conn, const char *data, int length); /* waits */
int PQputCopyEnd(PGconn *conn, const char *error); /* waits */
int PQgetCopyData(PGconn *conn, char **data, int asynchronous); /* waits */

/* Cancelling */
PGcancel *PQgetCancel(PGconn *conn);
void PQfreeCancel(PGcancel *cancel);
int PQcancel(PGcancel *cancel, char *error, int size); /* waits */
PGcancelConn *PQcancelCreate(PGconn *conn); /* 17 */
int PQcancelStart(PGcancelConn *cancel); /* waits 17 */
int PQcancelBlocking(PGcancelConn *cancel); /* waits 17 */
int PQcancelPoll(PGcancelConn *cancel); /* waits 17 */
int PQcancelStatus(const PGcancelConn *cancel); /* 17 */
int PQcancelSocket(const PGcancelConn *cancel); /* 17 */
const char *PQcancelErrorMessage(const PGcancelConn *cancel); /* 17 */
void PQcancelReset(PGcancelConn *cancel); /* waits 17 */
void PQcancelFinish(PGcancelConn *cancel); /* waits 17 */

/* Notices, notifications, tracing, passwords */
PQnoticeReceiver PQsetNoticeReceiver(PGconn *conn, PQnoticeReceiver receiver, void *arg);
PGnotify *PQnotifies(PGconn *conn); /* waits */
void PQtrace(PGconn *conn, STREAM *stream);
void PQuntrace(PGconn *conn); /* waits */
void PQsetTraceFlags(PGconn *conn, int flags);
char *PQencryptPasswordConn(PGconn *conn, const char *password, const char *user,
    const char *algorithm); /* waits */
PGresult *PQchangePassword(PGconn *conn, const char *user, const char *password); /* waits 17 */
