/* What cffi's extension offers besides libpq's own functions: memory_cffi.c says what each does.
 * Plain C that cffi's cdef() takes as it is, after libpq.h.
 */

#define PSYCOPG3_BINDING ...

/* The library */
void *library_open(const char *path);
const char *library_error(void);
int library_find(void *library, const char *name);
void text_free(const char *text);

/* Conversations */
typedef struct { int count, taken, left, reads; PGresult *results[16]; } FOUND;
int conn_advance(PGconn *conn, int ready, FOUND *found);
PGresult *found_take(FOUND *found);
void found_clear(FOUND *found);
int send_query(PGconn *conn, const char *query);
int send_parameters(PGconn *conn, const char *query, int prepared, int n, const Oid *types,
    const char *data, const char **values, const char *lengths, const char *formats, int result_format);
int conn_reports(PGconn *conn, const char *name, const char *value);

/* Values */
void result_clear(PGresult *res);
int value_length(const PGresult *res, int row, int column);
size_t column_size(const PGresult *res, int column, int row0, int row1);
int column_ints(const PGresult *res, int column, int row0, int row1, long long *to);
int column_texts(const PGresult *res, int column, int row0, int row1, char *to);
int column_bytes(const PGresult *res, int column, int row0, int row1, char *to, size_t *ends);

/* Notices: the name under which Python's receiver is called */
extern "Python" void receive_notice(void *arg, const PGresult *res);

/* Streams */
STREAM *stream_open(int fileno);
void stream_close(STREAM *stream);
