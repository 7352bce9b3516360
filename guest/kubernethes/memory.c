/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is there memory for another version beside the one that serves?
 *
 * While a version is taken in, three things are in memory together: what runs,
 * the new archive, and the tree that it becomes. Each is bounded on its own,
 * and that is not enough: the sum is what the kernel runs out of. So the sum
 * is judged before anything is taken, by what is free at that moment. From it
 * a part is kept back, for the roles and for the process that the new version
 * will be; it is the part that the apps' group may not have either
 * (guest/init/cgroup.h), so that what is let in here is not killed there.
 *
 * The same number goes to whoever asks for the node's status, and `dstack app
 * push` compares before it copies.
 */
#include "guest/kubernethes/kubernethes.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/own.h"
#include "guest/init/cgroup.h"

#define KEPT_LEAST (24ull << 20)
#define MB ((uint64_t)1 << 20)

uint64_t
kube_memory_free(void)
{
	char text[4096];
	AUTO_CLOSE int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	text[n > 0 ? n : 0] = '\0';
	return cgroup_available(text);
}

enum dstack_status
kube_memory_begin(struct kube_memory *m, struct why *why)
{
	struct sysinfo si;
	*m = (struct kube_memory){ 0 };
	if (sysinfo(&si) != 0)
		return why_set(why, DSTACK_E_SYS, "sysinfo: %s",
		    strerror(errno));
	m->total = (uint64_t)si.totalram * si.mem_unit;
	return DSTACK_OK;
}

void
kube_memory_look(struct kube_memory *m, uint64_t free)
{
	uint64_t first = m->first != 0 ? m->first : free;
	uint64_t bound = cgroup_bytes(first);
	/* the half of the rest that no app may have, as cgroup_slot says it */
	uint64_t kept = first > bound ? (first - bound) / 2 : 0;
	if (kept < KEPT_LEAST)
		kept = KEPT_LEAST;
	m->spare = free > kept ? free - kept : 0;
}

enum dstack_status
kube_memory_takes(const struct kube_memory *m, const char *name,
    const char *verb, uint64_t bytes, struct why *why)
{
	if (bytes <= m->spare)
		return DSTACK_OK;
	return why_set(why, DSTACK_E_LIMIT,
	    "%.24s %s %" PRIu64 " MB, this VM has %" PRIu64 " MB of memory "
	    "free beside what runs: smaller image or more VM_MEMORY_MB", name,
	    verb, (bytes + MB - 1) / MB, m->spare / MB);
}

enum dstack_status
kube_memory_image(const struct kube_memory *m, const char *name, size_t len,
    const struct oci_tree *tree, struct why *why)
{
	/* the archive is there already, and is not in what is free */
	uint64_t more = tree->most > len ? tree->most - len : 0;
	uint64_t bound = cgroup_bytes(m->first);
	if (m->first != 0 && tree->bytes > bound)
		return why_set(why, DSTACK_E_LIMIT,
		    "%.24s unpacks to %" PRIu64 " MB, one app may have %" PRIu64
		    " MB of this VM: smaller image or more VM_MEMORY_MB", name,
		    (tree->bytes + MB - 1) / MB, bound / MB);
	return kube_memory_takes(
	    m, name, "needs, to be unpacked,", more, why);
}
