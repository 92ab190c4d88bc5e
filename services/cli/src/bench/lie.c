/* A drive that lies, between a program and a block device: LD_PRELOAD for read, write, pread and pwrite.
 *
 * KILN_LIE_DEVICE=MAJOR:MINOR  the device; everything else is left alone
 * KILN_LIE=KIND                flip, lost, misdirected-write, misdirected-read, swapped, wrap, limbo
 * KILN_LIE_AT=BYTES            where (a multiple of 4096), KILN_LIE_SIZE=BYTES the device's size
 * KILN_LIE_LOG=FILE            gets one byte for each lie told, so that "not found" can be told from "not lied to"
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum kind { NONE, FLIP, LOST, MISDIRECTED_WRITE, MISDIRECTED_READ, SWAPPED, WRAP, LIMBO };
enum act { PASS, ELSEWHERE, NOWHERE };

static const char *NAMES[] = { "", "flip", "lost", "misdirected-write", "misdirected-read", "swapped", "wrap", "limbo" };
static enum kind kind;
static dev_t device;
static off64_t at, size;
static int log_fd = -1;
static ssize_t (*real_pread)(int, void *, size_t, off64_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static ssize_t (*real_read)(int, void *, size_t);
static ssize_t (*real_write)(int, const void *, size_t);

static off64_t number(const char *name) {
    const char *text = getenv(name);
    return text ? strtoll(text, NULL, 10) : 0;
}

__attribute__((constructor)) static void begin(void) {
    real_pread = dlsym(RTLD_NEXT, "pread64");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_read = dlsym(RTLD_NEXT, "read");
    real_write = dlsym(RTLD_NEXT, "write");
    const char *name = getenv("KILN_LIE"), *where = getenv("KILN_LIE_DEVICE"), *log = getenv("KILN_LIE_LOG");
    char *rest = NULL;
    if (!name || !where) return;
    unsigned long major = strtoul(where, &rest, 10);
    if (*rest != ':') return;
    device = makedev(major, strtoul(rest + 1, NULL, 10));
    at = number("KILN_LIE_AT");
    size = number("KILN_LIE_SIZE");
    for (int k = FLIP; k <= LIMBO; k++)
        if (strcmp(name, NAMES[k]) == 0) kind = k;
    if (log) log_fd = open(log, O_WRONLY | O_APPEND | O_CLOEXEC);
}

static int lied_to(int fd) {
    struct stat st;
    if (kind == NONE) return 0;
    int before = errno, yes = fstat(fd, &st) == 0 && S_ISBLK(st.st_mode) && st.st_rdev == device;
    errno = before;
    return yes;
}

static void told(void) {
    if (log_fd >= 0) (void)!real_write(log_fd, "x", 1);
}

/* What happens to the bytes from `off` on: how many of `len` go the same way, and where. */
static enum act way(off64_t off, size_t *len, int writing, off64_t *to) {
    struct { off64_t from, count, shift; } moved[2];
    int n = 0;
    *to = off;
    switch (kind) {
    case MISDIRECTED_WRITE:
        if (writing) { moved[n].from = at; moved[n].count = 4096; moved[n++].shift = -(1 << 20); }
        break;
    case MISDIRECTED_READ:
        if (!writing) { moved[n].from = at; moved[n].count = 4096; moved[n++].shift = 1 << 20; }
        break;
    case SWAPPED:
        if (writing) {
            moved[n].from = at; moved[n].count = 512; moved[n++].shift = 8192;
            moved[n].from = at + 8192; moved[n].count = 512; moved[n++].shift = -8192;
        }
        break;
    case LOST:
        if (writing) { moved[n].from = at; moved[n].count = 4096; moved[n++].shift = 0; }
        break;
    case WRAP:
        moved[n].from = size / 2; moved[n].count = size; moved[n++].shift = -(size / 2);
        break;
    case LIMBO:
        moved[n].from = size / 2; moved[n].count = size; moved[n++].shift = 0;
        break;
    case NONE: case FLIP: break;
    }
    for (int i = 0; i < n; i++) {
        off64_t from = moved[i].from, end = from + moved[i].count;
        if (off >= from && off < end) {
            if ((off64_t)*len > end - off) *len = end - off;
            *to = off + moved[i].shift;
            return moved[i].shift ? ELSEWHERE : NOWHERE;
        }
        if (off < from && off + (off64_t)*len > from) *len = from - off;
    }
    return PASS;
}

static ssize_t lie(int fd, char *buf, size_t count, off64_t off, int writing) {
    size_t done = 0;
    while (done < count) {
        size_t len = count - done;
        off64_t to;
        ssize_t got;
        enum act act = way(off + done, &len, writing, &to);
        if (act != PASS) told();
        if (act == NOWHERE) {
            if (!writing) memset(buf + done, 0, len);
            got = len;
        } else {
            got = writing ? real_pwrite(fd, buf + done, len, to) : real_pread(fd, buf + done, len, to);
        }
        if (got <= 0) return done ? (ssize_t)done : got;
        done += got;
    }
    if (kind == FLIP && !writing && off <= at && at < off + (off64_t)count) {
        buf[at - off] ^= 0x10;
        told();
    }
    return done;
}

static ssize_t lie_here(int fd, char *buf, size_t count, int writing) {
    off64_t off = lseek64(fd, 0, SEEK_CUR);
    if (off < 0) return -1;
    if (off >= size) return writing ? real_write(fd, buf, count) : real_read(fd, buf, count);
    if (off + (off64_t)count > size) count = size - off;
    ssize_t done = lie(fd, buf, count, off, writing);
    if (done > 0) lseek64(fd, off + done, SEEK_SET);
    return done;
}

ssize_t pread64(int fd, void *buf, size_t count, off64_t off) {
    return lied_to(fd) ? lie(fd, buf, count, off, 0) : real_pread(fd, buf, count, off);
}
ssize_t pwrite64(int fd, const void *buf, size_t count, off64_t off) {
    return lied_to(fd) ? lie(fd, (char *)buf, count, off, 1) : real_pwrite(fd, buf, count, off);
}
ssize_t read(int fd, void *buf, size_t count) {
    return lied_to(fd) ? lie_here(fd, buf, count, 0) : real_read(fd, buf, count);
}
ssize_t write(int fd, const void *buf, size_t count) {
    return lied_to(fd) ? lie_here(fd, (char *)buf, count, 1) : real_write(fd, buf, count);
}
ssize_t pread(int fd, void *buf, size_t count, off_t off) { return pread64(fd, buf, count, off); }
ssize_t pwrite(int fd, const void *buf, size_t count, off_t off) { return pwrite64(fd, buf, count, off); }
ssize_t __pread_chk(int fd, void *buf, size_t count, off_t off, size_t room) {
    if (count > room) abort();
    return pread64(fd, buf, count, off);
}
ssize_t __pread64_chk(int fd, void *buf, size_t count, off64_t off, size_t room) {
    if (count > room) abort();
    return pread64(fd, buf, count, off);
}
ssize_t __read_chk(int fd, void *buf, size_t count, size_t room) {
    if (count > room) abort();
    return read(fd, buf, count);
}
