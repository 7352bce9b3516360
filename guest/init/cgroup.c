/* SPDX-License-Identifier: Apache-2.0 */
/* Linux, Documentation/admin-guide/cgroup-v2.rst. */
#include "guest/init/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"

#define LEAST_LEFT (48ull << 20)  /* for the roles */
#define LEAST_GIVEN (16ull << 20) /* an app cannot live on less */
/* also while a version starts beside one that has all of its own bound */
#define NEVER_GIVEN (LEAST_LEFT / 2)
#define PATH_LEN 160

/* A quarter, but enough for the roles whatever is free. */
static uint64_t
left_over(uint64_t free)
{
	return free / 4 > LEAST_LEFT ? free / 4 : LEAST_LEFT;
}

uint64_t
cgroup_bytes(uint64_t free)
{
	uint64_t left = left_over(free);

	return free < left + LEAST_GIVEN ? LEAST_GIVEN : free - left;
}

uint64_t
cgroup_available(const char *meminfo)
{
	unsigned long long kib = 0;
	const char *p = strstr(meminfo, "\nMemAvailable:");

	/* The kernel's own file; a zero makes the least, not the most. */
	if (p == NULL || sscanf(p, "\nMemAvailable: %llu kB", &kib) != 1 ||
	    kib > UINT64_MAX / 1024)
		return 0;
	return kib * 1024;
}

static bool
put(const char *group, const char *file, const char *text)
{
	char path[PATH_LEN + 32];
	size_t n = strlen(text);

	(void)snprintf(path, sizeof(path), "%s/%s", group, file);
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd >= 0 && write(fd, text, n) == (ssize_t)n;
}

static bool
put_number(const char *group, const char *file, uint64_t v)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRIu64, v);
	return put(group, file, text);
}

/* An app reads its own, whatever this role's umask is. */
static bool
make(const char *group)
{
	return (mkdir(group, 0755) == 0 || errno == EEXIST) &&
	    chmod(group, 0755) == 0;
}

static enum dstack_status
fail(const char *group, struct why *why)
{
	return why_set(why, DSTACK_E_SYS,
	    "no bounds for apps: %s: %s (cgroup v2 with memory, pids and cpu)",
	    group, strerror(errno));
}

enum dstack_status
cgroup_prepare(const char *root, struct why *why)
{
	static const char controllers[] = "+memory +pids +cpu";
	char group[PATH_LEN];

	(void)snprintf(group, sizeof(group), "%s/" CGROUP_APPS, root);
	if (!put(root, "cgroup.subtree_control", controllers) ||
	    !make(group) ||
	    !put(group, "cgroup.subtree_control", controllers) ||
	    !put_number(group, "pids.max", 2 * CGROUP_PIDS))
		return fail(group, why);
	(void)snprintf(group, sizeof(group), "%s/" CGROUP_ROLES, root);
	if (!make(group) ||
	    !put_number(group, "memory.min", LEAST_LEFT) ||
	    !put(group, "cgroup.procs", "0"))
		return fail(group, why);
	return DSTACK_OK;
}

bool
cgroup_first_to_go(enum cgroup_rank rank)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%d", (int)rank);
	return put("/proc/self", "oom_score_adj", text);
}

/* Everything in the group at once, also what forks. */
void
cgroup_kill(const char *root)
{
	char group[PATH_LEN];

	(void)snprintf(group, sizeof(group), "%s/" CGROUP_APPS, root);
	(void)put(group, "cgroup.kill", "1");
}

bool
cgroup_there(const char *root)
{
	char path[PATH_LEN];

	(void)snprintf(
	    path, sizeof(path), "%s/" CGROUP_APPS "/memory.max", root);
	return access(path, F_OK) == 0;
}

enum dstack_status
cgroup_slot(
    const char *root, unsigned slot, uint64_t free, struct why *why)
{
	char group[PATH_LEN];

	(void)snprintf(group, sizeof(group), "%s/" CGROUP_APPS, root);
	/* half of the rest, so that a version can start beside a full one */
	if (!put_number(group, "memory.max",
	        cgroup_bytes(free) + left_over(free) / 2))
		return fail(group, why);

	(void)snprintf(
	    group, sizeof(group), "%s/" CGROUP_APPS "/%u", root, slot);
	/* all of an app ends where one process of it has to */
	if (!make(group) ||
	    !put_number(group, "memory.max", cgroup_bytes(free)) ||
	    !put(group, "memory.oom.group", "1") ||
	    !put_number(group, "pids.max", CGROUP_PIDS))
		return fail(group, why);
	return DSTACK_OK;
}

/* A group's own count in bytes. */
static bool
count(const char *group, const char *file, uint64_t *out)
{
	char path[PATH_LEN + 32];
	char text[24];
	char *end = NULL;

	(void)snprintf(path, sizeof(path), "%s/%s", group, file);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	if (n <= 0)
		return false;
	text[n] = '\0';
	*out = strtoull(text, &end, 10);
	return end != text;
}

enum dstack_status
cgroup_unpacking(const char *root, unsigned slot, uint64_t free,
    uint64_t available, struct why *why)
{
	char group[PATH_LEN];
	uint64_t has = 0;

	(void)snprintf(
	    group, sizeof(group), "%s/" CGROUP_APPS "/%u", root, slot);
	if (!count(group, "memory.current", &has))
		return fail(group, why);
	uint64_t max =
	    has + (available > NEVER_GIVEN ? available - NEVER_GIVEN : 0);
	if (max > cgroup_bytes(free))
		max = cgroup_bytes(free);
	return put_number(group, "memory.max", max) ? DSTACK_OK
						    : fail(group, why);
}

void
cgroup_usage(const char *root, unsigned slot, uint64_t *used, uint64_t *bound)
{
	char group[PATH_LEN];

	(void)snprintf(
	    group, sizeof(group), "%s/" CGROUP_APPS "/%u", root, slot);
	if (!count(group, "memory.current", used) ||
	    !count(group, "memory.max", bound))
		*used = *bound = 0;
}

uint64_t
cgroup_killed(const char *root, unsigned slot)
{
	char path[PATH_LEN + 32];
	char text[512];
	unsigned long long n = 0;

	(void)snprintf(path, sizeof(path),
	    "%s/" CGROUP_APPS "/%u/memory.events", root, slot);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t got = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	text[got > 0 ? got : 0] = '\0';
	/* lines "NAME COUNT"; oom_group_kill has another name in front */
	const char *p = strstr(text, "\noom_kill ");
	if (p == NULL || sscanf(p, "\noom_kill %llu", &n) != 1)
		return 0;
	return n;
}

bool
cgroup_enter(const char *root, unsigned slot)
{
	char group[PATH_LEN];

	(void)snprintf(
	    group, sizeof(group), "%s/" CGROUP_APPS "/%u", root, slot);
	return put(group, "cgroup.procs", "0");
}

/*
 * Below the slot's own group, whose bounds hold for it as well. No controller
 * is switched on for it, so that the slot may have processes of its own.
 */
static void
check_group(char *group, size_t n, const char *root, unsigned slot,
    unsigned part)
{
	(void)snprintf(group, n, "%s/" CGROUP_APPS "/%u/check%u", root, slot,
	    part);
}

bool
cgroup_enter_check(const char *root, unsigned slot, unsigned part)
{
	char group[PATH_LEN];

	check_group(group, sizeof(group), root, slot, part);
	return make(group) && put(group, "cgroup.procs", "0");
}

bool
cgroup_kill_check(const char *root, unsigned slot, unsigned part)
{
	char group[PATH_LEN];

	check_group(group, sizeof(group), root, slot, part);
	return put(group, "cgroup.kill", "1");
}

bool
cgroup_check_empty(const char *root, unsigned slot, unsigned part)
{
	char path[PATH_LEN + 32];
	char text[128];

	check_group(path, PATH_LEN, root, slot, part);
	(void)strncat(path, "/cgroup.events", 31);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
	text[n > 0 ? n : 0] = '\0';
	return strstr(text, "populated 1") == NULL;
}

static void
part_group(char *group, size_t n, const char *root, unsigned slot,
    unsigned part)
{
	(void)snprintf(
	    group, n, "%s/" CGROUP_APPS "/%u/part%u", root, slot, part);
}

enum dstack_status
cgroup_part(const char *root, unsigned slot, unsigned part, uint64_t max,
    struct why *why)
{
	char group[PATH_LEN];

	(void)snprintf(
	    group, sizeof(group), "%s/" CGROUP_APPS "/%u", root, slot);
	if (!put(group, "cgroup.subtree_control", "+memory +pids"))
		return fail(group, why);
	part_group(group, sizeof(group), root, slot, part);
	/* one service ends alone at its own bound, all of them at the slot's */
	if (!make(group) || !put_number(group, "memory.max", max) ||
	    !put(group, "memory.oom.group", "1") ||
	    !put_number(group, "pids.max", CGROUP_PIDS))
		return fail(group, why);
	return DSTACK_OK;
}

bool
cgroup_enter_part(const char *root, unsigned slot, unsigned part)
{
	char group[PATH_LEN];

	part_group(group, sizeof(group), root, slot, part);
	return put(group, "cgroup.procs", "0");
}

void
cgroup_no_parts(const char *root, unsigned slot)
{
	char group[PATH_LEN];

	for (unsigned i = 0; i < CGROUP_PARTS; i++) {
		part_group(group, sizeof(group), root, slot, i);
		(void)rmdir(group);
		check_group(group, sizeof(group), root, slot, i);
		(void)rmdir(group);
	}
	(void)snprintf(
	    group, sizeof(group), "%s/" CGROUP_APPS "/%u", root, slot);
	(void)put(group, "cgroup.subtree_control", "-memory -pids");
}
