/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into every program of a build: directories are read in another
 * order, and the clock of the wall is five years ahead. Nothing of either
 * may show in an image (tests/vm/reproduce.sh).
 */
#include <dirent.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define AHEAD (5L * 365 * 86400)
#define OPEN_MAX_DIRS 64

struct listing {
	DIR *dir;
	struct dirent64 *v;
	size_t n, next;
};
static struct listing open_dirs[OPEN_MAX_DIRS];

static void
forget(DIR *dir)
{
	for (size_t i = 0; i < OPEN_MAX_DIRS; i++)
		if (open_dirs[i].dir == dir) {
			free(open_dirs[i].v);
			memset(&open_dirs[i], 0, sizeof(open_dirs[i]));
		}
}

static void
shuffle(struct listing *l)
{
	unsigned long seed = 20311122;

	for (size_t i = l->n; i > 1; i--) {
		seed = seed * 6364136223846793005ul + 1442695040888963407ul;
		size_t k = (seed >> 33) % i;
		struct dirent64 t = l->v[i - 1];
		l->v[i - 1] = l->v[k];
		l->v[k] = t;
	}
}

struct dirent64 *
readdir64(DIR *dir)
{
	static struct dirent64 *(*real)(DIR *);
	struct listing *l = NULL;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "readdir64");
	for (size_t i = 0; i < OPEN_MAX_DIRS && l == NULL; i++)
		if (open_dirs[i].dir == dir)
			l = &open_dirs[i];
	for (size_t i = 0; i < OPEN_MAX_DIRS && l == NULL; i++)
		if (open_dirs[i].dir == NULL) {
			struct dirent64 *e;
			size_t cap = 0;
			l = &open_dirs[i];
			l->dir = dir;
			while ((e = real(dir)) != NULL) {
				if (l->n == cap) {
					cap = cap == 0 ? 64 : cap * 2;
					l->v = realloc(
					    l->v, cap * sizeof(*l->v));
					if (l->v == NULL)
						abort();
				}
				memcpy(&l->v[l->n++], e, e->d_reclen);
			}
			shuffle(l);
		}
	if (l == NULL)
		abort(); /* or it would be no test */
	return l->next < l->n ? &l->v[l->next++] : NULL;
}

struct dirent *
readdir(DIR *dir)
{
	return (struct dirent *)readdir64(dir); /* the same on 64 bits */
}

int
closedir(DIR *dir)
{
	static int (*real)(DIR *);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "closedir");
	forget(dir);
	return real(dir);
}

void
rewinddir(DIR *dir)
{
	static void (*real)(DIR *);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "rewinddir");
	forget(dir);
	real(dir);
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	long rc = syscall(SYS_clock_gettime, id, ts);

	if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		ts->tv_sec += AHEAD;
	return (int)rc;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts;

	(void)zone;
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *out)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	if (out != NULL)
		*out = ts.tv_sec;
	return ts.tv_sec;
}
