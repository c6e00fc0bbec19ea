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

/* --- values ----------------------------------------------------------------------------------- */

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

/* The same without the zero bytes, and where each value ends. */
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
