/* cffi's extension: finds libpq's functions, and reads in one call what would take many from Python.
 *
 * No function here needs the Python API, and none keeps anything: they run on PyPy as on CPython, in
 * as many threads as there are.
 */

#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* cffi lets other threads run during every call. One of them could free the object between our check
 * and the call; and it costs as much as a short call itself, twice that beside a busy thread. So it is
 * taken out of the code that cffi writes after this, and only what stands in WAITING lets others run.
 * PyPy calls C in its own way, and knows no other. */
#ifdef PYPY_VERSION
#define WAITING(...) do { __VA_ARGS__; } while (0)
#else
#undef Py_BEGIN_ALLOW_THREADS
#undef Py_END_ALLOW_THREADS
#define Py_BEGIN_ALLOW_THREADS {
#define Py_END_ALLOW_THREADS }
#define WAITING(...) \
    do { \
        PyThreadState *state = PyEval_SaveThread(); \
        __VA_ARGS__; \
        PyEval_RestoreThread(state); \
    } while (0)
#endif

/* What a connection says is copied: until Python has read it, another thread may have closed the
 * connection. A result stays as long as there is a pointer to it. */
static const char *text_copy(const char *text)
{
    return text ? strdup(text) : NULL;
}

static void text_free(const char *text)
{
    free((char *)text);
}

#include "libpq_cffi.c"

/* --- the library ------------------------------------------------------------------------------ */

/* Load a library, for ever; NULL when it can't be: then library_error() says why. */
static void *library_open(const char *path)
{
    return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

static const char *library_error(void)
{
    const char *error = dlerror();
    return error ? error : "no reason is known";
}

/* Put the library's function in the table; 0 when there is none, and then it may not be called. */
static int library_find(void *library, const char *name)
{
    void *function = dlsym(library, name);
    size_t i;
    for (i = 0; i < sizeof libpq_names / sizeof *libpq_names; i++)
        if (strcmp(libpq_names[i], name) == 0) {
            memcpy((char *)&libpq + i * sizeof function, &function, sizeof function);
            return function != NULL;
        }
    return 0;
}

/* --- conversations ---------------------------------------------------------------------------- */

/* Results that Python has not taken yet, and what is known of the step that found them. They are kept in C,
 * since a signal's handler may raise before Python has seen what a call returned. */
typedef struct { int count, taken, left, reads; PGresult *results[16]; } FOUND;

enum { READABLE = 1, FULL = 4, FLUSH_FAILED = -1, READ_FAILED = -2 };

static int step(PGconn *conn, int ready, FOUND *found)
{
    int read = ready & READABLE || (ready == 0 && libpq.PQsslInUse(conn));
    if (ready != FULL) {
        found->left = libpq.PQflush(conn);
        if (found->left < 0)
            return FLUSH_FAILED;
        found->reads = 0;
    }
    for (;;) {
        PGresult *result;
        if (read) {
            if (!libpq.PQconsumeInput(conn))
                return READ_FAILED;
            found->reads++;
            read = 0;
        }
        if (libpq.PQisBusy(conn)) {
            /* A rest of the record may be left in OpenSSL: `receive` in generators.py. */
            read = found->reads == 1 && libpq.PQsslInUse(conn);
            if (read)
                continue;
            return found->left ? 3 : 1;
        }
        if (found->count == sizeof found->results / sizeof *found->results)
            return FULL;
        result = libpq.PQgetResult(conn);
        if (!result)
            return 0;
        found->results[found->count++] = result;
        switch (libpq.PQresultStatus(result)) {
        case 3: case 4: case 8: case 10: /* COPY_OUT, COPY_IN, COPY_BOTH, PIPELINE_SYNC */
            return 0;
        }
    }
}

/* The next result, which is no longer ours to clear; NULL after the last. */
static PGresult *found_take(FOUND *found)
{
    if (found->taken < found->count)
        return found->results[found->taken++];
    found->taken = found->count = 0;
    return NULL;
}

/* Clear what nobody took. */
static void found_clear(FOUND *found)
{
    PGresult *result;
    while ((result = found_take(found)))
        libpq.PQclear(result);
}

/* What memory.advance() says; FULL when there is no room for more results: call again with it. */
static int conn_advance(PGconn *conn, int ready, FOUND *found)
{
    int wanted;
    /* Python has taken all, unless it was interrupted twice: then this was for another list. */
    found_clear(found);
    WAITING(wanted = step(conn, ready, found));
    return wanted;
}

/* What memory.send_query() says of what libpq has been given to send. */
static int sent(PGconn *conn, int success)
{
    if (!success)
        return 0;
    /* In a pipeline libpq collects what is to be sent. */
    return libpq.PQpipelineStatus(conn) || libpq.PQflush(conn) ? 3 : 1;
}

static int send_query(PGconn *conn, const char *query)
{
    int outcome;
    WAITING(outcome = sent(conn, libpq.PQsendQuery(conn, query)));
    return outcome;
}

/* Send `values`, or those in `data`, where a zero byte follows each. Their lengths, ints in Python's bytes,
 * are -1 for SQL's NULL; they may be missing where all are text, as may the formats, a byte for each.
 * `prepared`: whether `query` is the name of a statement. */
static int send_parameters(PGconn *conn, const char *query, int prepared, int n, const Oid *types,
    const char *data, const char **values, const char *lengths, const char *formats, int result_format)
{
    const char *few[64], **room = few;
    const int *sizes = (const int *)(const void *)lengths;
    int few_kinds[64], *kinds = few_kinds, i, outcome;
    if (n > 64) {
        if (!(room = malloc((size_t)n * (sizeof *room + sizeof *kinds))))
            return 0;
        kinds = (int *)(room + n);
    }
    for (i = 0; i < n; i++) {
        int null = sizes && sizes[i] < 0;
        room[i] = null ? NULL : values ? values[i] : data;
        if (!values && i + 1 < n)
            data += (null ? 0 : sizes ? (size_t)sizes[i] : strlen(data)) + 1;
        if (formats)
            kinds[i] = formats[i];
    }
    if (!formats)
        kinds = NULL;
    WAITING(outcome = sent(conn, prepared
        ? libpq.PQsendQueryPrepared(conn, query, n, room, sizes, kinds, result_format)
        : libpq.PQsendQueryParams(conn, query, n, types, room, sizes, kinds, result_format)));
    if (room != few)
        free(room);
    return outcome;
}

/* Whether the server reports a setting with this value. */
static int conn_reports(PGconn *conn, const char *name, const char *value)
{
    const char *reported = libpq.PQparameterStatus(conn, name);
    return reported && strcmp(reported, value) == 0;
}

/* --- values ----------------------------------------------------------------------------------- */

/* PQclear, during which others run only if there is much to free: to let them costs more than to free
 * a few rows. */
static void result_clear(PGresult *res)
{
    if (libpq.PQresultMemorySize(res) < 1 << 20)
        libpq.PQclear(res);
    else
        WAITING(libpq.PQclear(res));
}

/* The length of a value; -1 for SQL's NULL, and for a value that isn't there. */
static int value_length(const PGresult *res, int row, int column)
{
    int length = libpq.PQgetlength(res, row, column);
    return length == 0 && libpq.PQgetisnull(res, row, column) ? -1 : length;
}

/* The bytes that the two functions below write: each value takes one more than its length. */
static size_t column_size(const PGresult *res, int column, int row0, int row1)
{
    size_t size = 0;
    int row;
    for (row = row0; row < row1; row++)
        size += (size_t)libpq.PQgetlength(res, row, column) + 1;
    return size;
}

/* Write a column's values, a zero byte after each; returns how many are empty, as NULL is too. */
static int column_texts(const PGresult *res, int column, int row0, int row1, char *to)
{
    int empty = 0, row;
    for (row = row0; row < row1; row++) {
        int length = libpq.PQgetlength(res, row, column);
        if (length == 0)
            empty++;
        else
            memcpy(to, libpq.PQgetvalue(res, row, column), (size_t)length);
        to += length;
        *to++ = '\0';
    }
    return empty;
}

/* The values of a column of text as numbers; 0 if one is NULL, or no plain integer of 18 digits at most. */
static int column_ints(const PGresult *res, int column, int row0, int row1, long long *to)
{
    int row;
    if (libpq.PQfformat(res, column))
        return 0;
    for (row = row0; row < row1; row++) {
        const char *text = libpq.PQgetvalue(res, row, column);
        int negative = text && *text == '-', digits = 0;
        long long number = 0;
        if (!text)
            return 0;
        for (text += negative; *text >= '0' && *text <= '9' && digits <= 18; text++, digits++)
            number = 10 * number + (*text - '0');
        if (!digits || digits > 18 || *text)
            return 0;
        *to++ = negative ? -number : number;
    }
    return 1;
}

/* As column_texts() without the zero bytes, and where each value ends. */
static int column_bytes(const PGresult *res, int column, int row0, int row1, char *to, size_t *ends)
{
    size_t end = 0;
    int empty = 0, row;
    for (row = row0; row < row1; row++) {
        int length = libpq.PQgetlength(res, row, column);
        if (length == 0)
            empty++;
        else
            memcpy(to + end, libpq.PQgetvalue(res, row, column), (size_t)length);
        end += (size_t)length;
        *ends++ = end;
    }
    return empty;
}

/* --- streams ---------------------------------------------------------------------------------- */

/* A stream that writes to the descriptor, and owns it; NULL, and errno, when there is none. */
static STREAM *stream_open(int fileno)
{
    return (STREAM *)fdopen(fileno, "w");
}

/* Write what it holds, and close it. */
static void stream_close(STREAM *stream)
{
    WAITING(fclose((FILE *)stream));
}
