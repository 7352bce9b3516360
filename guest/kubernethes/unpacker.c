/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The unpacker: an image becomes a tree in a process of its own, which counts
 * as the app from its first byte on. What it writes to the slot's tmpfs is
 * charged to the slot's group, since a page of a tmpfs belongs to the group of
 * whoever touched it first, and there it stays when this process is gone; so
 * tree and app share one bound. While the tree grows that bound follows what
 * the machine has free, for the archive is still in memory beside it. Where an
 * image does not fit, this process is what the kernel ends: in its group, and
 * in the whole machine, where it is the first choice. The role sees that, says
 * so in one line and drops the tree; the version before goes on serving.
 *
 * The archive's memory is given back as the tree grows, so that both are never
 * there whole. After a try the archive is therefore no use any more, whatever
 * came of it.
 *
 * The child has the role's rights and the image's foreign bytes, so it gives
 * up the edges first: it cannot ask another role for anything. Its verdict
 * comes back over a pipe, in one write; no verdict means it was ended.
 */
#include "guest/kubernethes/unpacker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "guest/base/role.h"
#include "guest/init/cgroup.h"
#include "guest/kubernethes/kubernethes.h"
#include "guest/kubernethes/unpack.h"

#define STEP_MS 50 /* between two looks at the machine's memory */
#define IDLE_STEPS 4

struct verdict {
	enum dstack_status st;
	struct why why;
};

static void __attribute__((noreturn))
child(const struct container *c, const struct oci_image *img,
    struct kube_archive *archive, int out)
{
	struct verdict v;

	memset(&v, 0, sizeof(v));
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* the kernel names whom it ends: not the role */
	(void)prctl(PR_SET_NAME, "unpacker");
	for (int r = 0; r < ROLE_COUNT; r++)
		if (role_may_ask(ROLE_KUBERNETHES, (enum role)r) ||
		    role_may_ask((enum role)r, ROLE_KUBERNETHES))
			(void)close(FD_EDGE + r);
	cgroup_first_to_go(CGROUP_UNPACKER);
	AUTO_CLOSE int root = container_root(c);
	if (cgroup_there(CGROUP_ROOT) && !cgroup_enter(CGROUP_ROOT, c->slot))
		v.st = why_set(&v.why, DSTACK_E_SYS,
		    "container %u: the unpacker cannot be put into its bounds",
		    c->slot);
	else
		v.st = (c->stored ? unpack_stored : unpack_image)(img, root,
		    SPEC_ID_BASE, kube_archive_let_go, archive, NULL, &v.why);
	(void)!write(out, &v, sizeof(v));
	_exit(0);
}

static enum dstack_status
ended(int status, struct why *why)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return why_set(why, DSTACK_E_LIMIT,
		    "image: unpacked it takes more memory than this VM has for "
		    "apps; make it smaller or raise VM_MEMORY_MB on all nodes");
	if (WIFSIGNALED(status))
		return why_set(why, DSTACK_E_SYS,
		    "image: the unpacker was ended by signal %d",
		    WTERMSIG(status));
	return why_set(
	    why, DSTACK_E_SYS, "image: the unpacker ended without a verdict");
}

/*
 * The slot's bound follows what is free: archive, tree and what runs share
 * one machine, and where it has no room for all three the tree is what stops.
 */
static void
follow_memory(const struct container *c, uint64_t free)
{
	struct why why;
	uint64_t now = kube_memory_free();

	if (now == 0 || !cgroup_there(CGROUP_ROOT))
		return;
	(void)!cgroup_unpacking(
	    CGROUP_ROOT, c->slot, free, now, &why);
}

enum dstack_status
unpack_apart(const struct container *c, const struct oci_image *img,
    struct kube_archive *archive, uint64_t free, bool (*go_on)(void *ctx),
    void *ctx, struct why *why)
{
	struct verdict v;
	bool on = true;
	int p[2], status = 0;

	follow_memory(c, free);

	if (pipe2(p, O_CLOEXEC) != 0)
		return why_set(why, DSTACK_E_SYS, "pipe: %s", strerror(errno));
	AUTO_CLOSE int in = p[0];
	pid_t pid = fork();
	if (pid == 0)
		child(c, img, archive, p[1]);
	int err = errno;
	(void)close(p[1]);
	if (pid < 0)
		return why_set(why, DSTACK_E_SYS, "image: fork: %s",
		    strerror(err));
	for (unsigned i = 1;; i++) {
		struct pollfd w = { .fd = in, .events = POLLIN };
		if (poll(&w, 1, STEP_MS) > 0)
			break;
		follow_memory(c, free);
		if (i % IDLE_STEPS == 0)
			on = go_on(ctx);
		if (!on)
			(void)kill(pid, SIGKILL);
	}
	ssize_t n = read(in, &v, sizeof(v));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (n != (ssize_t)sizeof(v))
		return on ? ended(status, why)
			  : why_set(why, DSTACK_E_BUSY,
				"given up for what comes");
	/* its words: the image's bytes went through the process that says it */
	if (v.st != DSTACK_OK)
		(void)why_set(why, v.st, "%.*s", (int)sizeof(v.why.text) - 1,
		    v.why.text);
	return v.st;
}
