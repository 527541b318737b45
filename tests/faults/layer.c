/* A layer over libc that makes the k-th call that changes files under a folder fail, or the process die there.
 *
 * cc -shared -fPIC -O1 -o layer.so layer.c -ldl; loaded by LD_PRELOAD, it lies under Python, Rust (safetensors) and C++ (Arrow)
 * alike. arm(folder, at, how): how > 0 is an errno, given from the call on (a full disk stays full) or once (EIO); how == 0
 * counts only; -1 kills before the call; -2 writes half of what was to be written, then kills. `seen` counts the calls,
 * `victim` says which one it was.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char prefix[4096];
static size_t length = 0;
static long at = 0, count = 0;
static int how = 0, witness = -1, lists = 0;

void arm(const char *folder, long when, int what, int to, int all) {
    strncpy(prefix, folder, sizeof prefix - 1);
    length = strlen(prefix);
    at = when; how = what; count = 0; witness = to; lists = all;
}

long seen(void) { return count; }

static ssize_t (*real_write)(int, const void *, size_t);
#define REAL(name) ({ static __typeof__(name) *f; if (!f) f = dlsym(RTLD_NEXT, #name); f; })

static void tell(const char *call, const char *path) {
    char line[4600];
    if (witness < 0) return;
    int n = snprintf(line, sizeof line, "%ld %s %s\n", count, call, path + length);
    if (!real_write) real_write = dlsym(RTLD_NEXT, "write");
    if (real_write(witness, line, n) < 0) abort();
}

static int under(const char *path) { return length && path && strncmp(path, prefix, length) == 0; }

/* The errno to give, 0 to let the call through. */
static int struck(const char *call, const char *path) {
    count++;
    if (lists) tell(call, path);
    if (!at || how == 0) return 0;
    if (count < at) return 0;
    if (how == EIO && count > at) return 0;
    if (count == at && !lists) tell(call, path);
    if (how == -1 || (how == -2 && strcmp(call, "write") != 0)) kill(getpid(), SIGKILL);
    return how > 0 ? how : 0;
}

static const char *path_of(int fd, char *buffer) {
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(name, buffer, 4095);
    if (n < 0) return NULL;
    buffer[n] = 0;
    return buffer;
}

static const char *absolute(const char *path, char *buffer) {
    if (!path || path[0] == '/') return path;
    if (!getcwd(buffer, 2048)) return path;
    strcat(buffer, "/");
    strncat(buffer, path, 2000);
    return buffer;
}

#define STRIKE(call, path) do { int e_ = struck(call, path); if (e_) { errno = e_; return -1; } } while (0)

static int strike_fd(const char *call, int fd, const void *data, size_t size) {
    char buffer[4096];
    if (!length || fd <= 2) return 0;
    const char *path = path_of(fd, buffer);
    if (!under(path)) return 0;
    int e = struck(call, path);
    if (how == -2 && count == at) {
        if (data && size > 1) { if (!real_write) real_write = dlsym(RTLD_NEXT, "write"); if (real_write(fd, data, size / 2) < 0) abort(); }
        kill(getpid(), SIGKILL);
    }
    return e;
}

ssize_t write(int fd, const void *data, size_t size) {
    if (!real_write) real_write = dlsym(RTLD_NEXT, "write");
    int e = strike_fd("write", fd, data, size);
    if (e) { errno = e; return -1; }
    return real_write(fd, data, size);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t where) {
    int e = strike_fd("write", fd, NULL, 0);
    if (e) { errno = e; return -1; }
    return REAL(pwrite64)(fd, data, size, where);
}
ssize_t writev(int fd, const struct iovec *parts, int n) {
    int e = strike_fd("write", fd, n ? parts[0].iov_base : NULL, n ? parts[0].iov_len : 0);
    if (e) { errno = e; return -1; }
    return REAL(writev)(fd, parts, n);
}
int fsync(int fd) {
    int e = strike_fd("fsync", fd, NULL, 0);
    if (e) { errno = e; return -1; }
    return REAL(fsync)(fd);
}
int ftruncate64(int fd, off64_t size) {
    int e = strike_fd("truncate", fd, NULL, 0);
    if (e) { errno = e; return -1; }
    return REAL(ftruncate64)(fd, size);
}

#define OPENING(name) \
    int name(const char *path, int flags, ...) { \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); } \
        char buffer[4096]; \
        if (length && (flags & (O_CREAT | O_WRONLY | O_RDWR)) && under(absolute(path, buffer))) STRIKE("open", absolute(path, buffer)); \
        return REAL(name)(path, flags, mode); \
    }
OPENING(open)
OPENING(open64)

int openat64(int folder, const char *path, int flags, ...) {
    mode_t mode = 0;
    if (flags & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }
    if (length && (flags & (O_CREAT | O_WRONLY | O_RDWR)) && under(path)) STRIKE("open", path);
    return REAL(openat64)(folder, path, flags, mode);
}
FILE *fopen64(const char *path, const char *mode) {
    if (length && under(path) && strpbrk(mode, "wa+")) { int e = struck("open", path); if (e) { errno = e; return NULL; } }
    return REAL(fopen64)(path, mode);
}
int rename(const char *from, const char *to) {
    char buffer[4096];
    if (length && under(absolute(to, buffer))) STRIKE("rename", absolute(to, buffer));
    return REAL(rename)(from, to);
}
int link(const char *from, const char *to) {
    char buffer[4096];
    if (length && under(absolute(to, buffer))) STRIKE("link", absolute(to, buffer));
    return REAL(link)(from, to);
}
int mkdir(const char *path, mode_t mode) {
    char buffer[4096];
    if (length && under(absolute(path, buffer))) STRIKE("mkdir", absolute(path, buffer));
    return REAL(mkdir)(path, mode);
}
/* Removing needs no room: it never fails here, but a process may die before it. */
int unlink(const char *path) {
    char buffer[4096];
    if (length && under(absolute(path, buffer)) && how <= 0) struck("unlink", absolute(path, buffer));
    return REAL(unlink)(path);
}
int unlinkat(int folder, const char *path, int flags) {
    char buffer[4096];
    if (length && how <= 0 && folder >= 0 && path_of(folder, buffer) && under(buffer)) struck("unlink", buffer);
    return REAL(unlinkat)(folder, path, flags);
}
int rmdir(const char *path) {
    char buffer[4096];
    if (length && under(absolute(path, buffer)) && how <= 0) struck("rmdir", absolute(path, buffer));
    return REAL(rmdir)(path);
}
