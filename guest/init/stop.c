/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order is that of who needs whom. kubernethes goes first, while hostlink
 * and the TLS front still carry the app's last files and answers; it ends when
 * its apps have. Then nothing writes to the volume any more: what is left of
 * an app is killed, the file system is unmounted, which writes what it has,
 * and the device-mapper stack is taken down, which empties dm-integrity's
 * journal and has the kernel forget the key. keyd is asked last but one, since
 * a role may need an answer of it until here; it wipes its page. The rest dies
 * with the machine, or with this PID namespace.
 *
 * What can go wrong: a role or the kernel does not do as asked in time. Then
 * the next step is taken all the same; the volume's journals are made for it.
 */
#include "guest/init/stop.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "guest/base/paths.h"
#include "guest/init/cgroup.h"
#include "guest/volume/disk.h"

#define STEP_MS 20

static void
nap(void)
{
	const struct timespec t = { .tv_nsec = STEP_MS * 1000000L };

	(void)nanosleep(&t, NULL);
}

/*
 * A container's mount namespace holds the volume until the kernel has taken
 * it apart, which is a moment after its last process.
 */
static void
close_volume(void)
{
	int waited = 0;

	while (umount2(PATH_VOLUME, UMOUNT_NOFOLLOW) != 0) {
		if (errno == EINVAL || errno == ENOENT)
			return; /* it was never open */
		if (errno != EBUSY || waited >= STOP_VOLUME_MS) {
			log_line("the volume is not closed: %s",
			    strerror(errno));
			return;
		}
		nap();
		waited += STEP_MS;
	}
	if (!volume_disk_close())
		log_line("the volume's devices stay: %s", strerror(errno));
	else
		log_line("the volume is closed");
}

void
stop_in_order(struct watch *w, int sigfd, bool vm)
{
	w->ending = true;
	if (!watch_end(w, sigfd, ROLE_KUBERNETHES, STOP_KUBE_MS))
		log_line("kubernethes does not stop; it is ended");
	if (vm)
		cgroup_kill(CGROUP_ROOT);
	/* one that is still at formatting must not go on below us */
	if (w->child[ROLE_VOLUME].pid > 0)
		(void)kill(w->child[ROLE_VOLUME].pid, SIGKILL);
	sync();
	if (vm)
		close_volume();
	if (!watch_end(w, sigfd, ROLE_KEYD, STOP_KEYD_MS))
		log_line("keyd does not stop; it is ended");
}
