/*
 * full_disk.c
 *		A disk that is full for as long as a test wants it to be: preloaded into a
 *		server, it lets no file below a folder grow.
 *
 * The folder is what the symbolic link named by FULL_DISK points to; without the
 * link the disk has space.  As on a real disk, what a file has can be overwritten.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define NEXT(name)	((__typeof__(&name)) dlsym(RTLD_NEXT, #name))

/* Tells whether a file may not be written up to this size. */
static bool
is_full(int fd, off_t end)
{
	const char *link = getenv("FULL_DISK");
	char		folder[PATH_MAX];
	char		proc[64];
	char		path[PATH_MAX];
	ssize_t		size;
	ssize_t		path_size;
	struct stat now;
	int			saved = errno;
	bool		full = false;

	size = link ? readlink(link, folder, sizeof(folder)) : -1;
	if (size > 0)
	{
		snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
		path_size = readlink(proc, path, sizeof(path));
		full = path_size > size && memcmp(path, folder, size) == 0 && path[size] == '/' &&
			fstat(fd, &now) == 0 && end > now.st_size;
	}
	errno = full ? ENOSPC : saved;
	return full;
}

static off_t
size_of(const struct iovec *iov, int count)
{
	off_t		size = 0;

	for (int i = 0; i < count; i++)
		size += iov[i].iov_len;
	return size;
}

ssize_t
write(int fd, const void *data, size_t size)
{
	off_t		at = lseek(fd, 0, SEEK_CUR);

	if (at >= 0 && is_full(fd, at + size))
		return -1;
	return NEXT(write) (fd, data, size);
}

ssize_t
pwrite(int fd, const void *data, size_t size, off_t at)
{
	return is_full(fd, at + size) ? -1 : NEXT(pwrite) (fd, data, size, at);
}

ssize_t
pwrite64(int fd, const void *data, size_t size, off64_t at)
{
	return is_full(fd, at + size) ? -1 : NEXT(pwrite64) (fd, data, size, at);
}

ssize_t
pwritev(int fd, const struct iovec *iov, int count, off_t at)
{
	return is_full(fd, at + size_of(iov, count)) ? -1 : NEXT(pwritev) (fd, iov, count, at);
}

ssize_t
pwritev64(int fd, const struct iovec *iov, int count, off64_t at)
{
	return is_full(fd, at + size_of(iov, count)) ? -1 : NEXT(pwritev64) (fd, iov, count, at);
}

int
fallocate(int fd, int mode, off_t at, off_t size)
{
	return is_full(fd, at + size) ? -1 : NEXT(fallocate) (fd, mode, at, size);
}

int
posix_fallocate(int fd, off_t at, off_t size)
{
	return is_full(fd, at + size) ? ENOSPC : NEXT(posix_fallocate) (fd, at, size);
}
