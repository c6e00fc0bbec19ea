/* What cffi's extension offers besides libpq's own functions: memory_cffi.c says what each does.
 * Plain C that cffi's cdef() takes as it is, after libpq.h.
 */

#define PSYCOPG3_BINDING ...

/* The library */
void *library_open(const char *path);
const char *library_error(void);
int library_find(void *library, const char *name);
void text_free(const char *text);

/* Values */
int value_length(const PGresult *res, int row, int column);
size_t column_size(const PGresult *res, int column, int row0, int row1);
int column_texts(const PGresult *res, int column, int row0, int row1, char *to);
int column_bytes(const PGresult *res, int column, int row0, int row1, char *to, size_t *ends);

/* Notices: the name under which Python's receiver is called */
extern "Python" void receive_notice(void *arg, const PGresult *res);

/* Streams */
STREAM *stream_open(int fileno);
void stream_close(STREAM *stream);
