/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real container by the real runtime, in mount and network namespaces of
 * this test's own. Skipped without root, the runtime or a static libc.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/init/egress.h"
#include "guest/init/netlink.h"
#include "guest/kubernethes/container.h"
#include "guest/kubernethes/unpack.h"
#include "tests/unit/guest/kubernethes/isolation.h"
#include "tests/unit/lib/oci/tarmake.h"

static bool can;
static char battery[64] = "/tmp/test_battery.XXXXXX";

static int
prepare(void **state)
{
	char cc[] = "gcc", def[] = "-D_GNU_SOURCE", st[] = "-static", o[] = "-o", w[] = "-w";
	char src[] = "tests/unit/guest/kubernethes/battery.c";
	char *const argv[] = { cc, def, st, w, o, battery, src, NULL };
	char path[] = "PATH=/usr/bin:/bin";
	char *const env[] = { path, NULL };
	pid_t pid;
	int status = 1;
	(void)state;
	int fd = mkstemp(battery);
	if (fd >= 0)
		close(fd);
	if (geteuid() != 0 || access(CONTAINER_RUNTIME, X_OK) != 0)
		return 0;
	if (posix_spawn(&pid, "/usr/bin/gcc", NULL, NULL, argv, env) != 0 ||
	    waitpid(pid, &status, 0) != pid || status != 0)
		return 0;
	if (unshare(CLONE_NEWNS | CLONE_NEWNET) != 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", "/run", "tmpfs", 0, "mode=755") != 0)
		return 0;
	can = true;
	return 0;
}

static int
cleanup(void **state)
{
	(void)state;
	unlink(battery);
	return 0;
}

/* The battery in an image with this config, unpacked in the slot. */
static void
make(struct container *c, struct oci_image **img, struct wr *ar,
    const char *config, struct why *why)
{
	AUTO_WR struct wr layer = wr_new(0);
	AUTO_WR struct wr prog = wr_new(0);
	uint8_t d[32];
	char buf[65536];
	ssize_t n;
	int fd = open(battery, O_RDONLY);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		wr_put(&prog, buf, (size_t)n);
	close(fd);
	tar_add(&layer, (struct tarent){ .name = "battery", .type = '0',
		.mode = 04755, .data = (const char *)prog.buf,
		.size = prog.len });
	tar_add(&layer, (struct tarent){ .name = "etc/passwd", .type = '0',
		.data = "root:x:0:0::/root:/bin/sh\nweb:x:33:44::/srv/web:/x\n" });
	tar_add(&layer, (struct tarent){ .name = "etc/group", .type = '0',
		.data = "root:x:0:\nweb:x:44:\nextra:x:55:a,web\n" });
	tar_add(&layer, (struct tarent){ .name = "etc/mine", .type = '0',
		.data = "x" });
	tar_add(&layer, (struct tarent){ .name = "var/lib/y/etc", .type = '5',
		.mode = 0755, .uid = 33 });
	tar_add(&layer, (struct tarent){ .name = "var/lib/y/etc/mine",
		.type = '0', .mode = 0640, .uid = 33,
		.data = "from the image" });
	tar_end(&layer);
	make_image(ar, OCI, &layer, 1, (struct wrong){ .config = config }, d);
	assert_int_equal(
	    oci_open(ar->buf, ar->len, d, 64 << 20, img, why), DSTACK_OK);
	if (container_make(c, 64 << 20, why) != DSTACK_OK)
		fail_msg("%s", why->text);
	int root = container_root(c);
	if (unpack_image(
		*img, root, SPEC_ID_BASE, NULL, NULL, NULL, why) != DSTACK_OK)
		fail_msg("%s", why->text);
	close(root);
}

/* The app's output until it says word. */
static void
read_until(struct container *c, const char *word, char *out, size_t cap)
{
	size_t len = 0;
	out[0] = '\0';
	while (strstr(out, word) == NULL) {
		struct pollfd p = { .fd = c->log, .events = POLLIN };
		if (poll(&p, 1, 60000) != 1)
			fail_msg("silent after: %s", out);
		ssize_t n = read(c->log, out + len, cap - 1 - len);
		if (n <= 0)
			fail_msg("ended after: %s", out);
		len += (size_t)n;
		out[len] = '\0';
	}
}

static void
expect(const char *out, const char *line)
{
	char whole[128];
	snprintf(whole, sizeof(whole), "%s\n", line);
	const char *at = strstr(out, whole);
	if (at == NULL || (at != out && at[-1] != '\n'))
		fail_msg("not \"%s\" in:\n%s", line, out);
}

static void
an_app_gets_what_its_image_says_and_no_more(void **state)
{
	(void)state;
	struct why why = { "" };
	struct container c;
	AUTO_OCI struct oci_image *img = NULL;
	AUTO_WR struct wr ar = wr_new(0);
	static char out[16384];
	if (!can)
		skip();
	assert_int_equal(mkdir("/run/data", 0755), 0);
	assert_int_equal(mkdir("/run/data/app", 0755), 0);
	container_init(&c, 0);
	make(&c, &img, &ar,
	    "{\"Entrypoint\":[\"/battery\"],\"Cmd\":[\"one\"],"
	    "\"Env\":[\"GREET=hi\"],\"User\":\"web\",\"WorkingDir\":\"/w/d\","
	    "\"Volumes\":{\"/var/lib/x\":{}},\"StopSignal\":\"SIGINT\","
	    "\"ExposedPorts\":{\"8080/tcp\":{}}}", &why);
	int tcp = -1;
	int local = -1;
	assert_int_equal(container_listen(&c, &tcp, &local, &why), DSTACK_OK);
	/* what an earlier version left, which ran as another user */
	assert_int_equal(mkdir("/run/data/app/sub", 0700), 0);
	assert_int_equal(mknod("/run/data/app/sub/f", S_IFREG | 0600, 0), 0);
	assert_int_equal(mknod("/run/data/app/sub/x", S_IFREG | 0600, 0), 0);
	assert_int_equal(symlink("/etc/passwd", "/run/data/app/sub/l"), 0);
	assert_int_equal(chown("/run/data/app", SPEC_ID_BASE + 7, 0), 0);
	assert_int_equal(chown("/run/data/app/sub", SPEC_ID_BASE + 7, 0), 0);
	assert_int_equal(
	    chown("/run/data/app/sub/f", SPEC_ID_BASE + 7, 5), 0);
	assert_int_equal(
	    chown("/run/data/app/sub/x", SPEC_ID_BASE + 8, 0), 0);
	assert_int_equal(
	    lchown("/run/data/app/sub/l", SPEC_ID_BASE + 7, 0), 0);
	if (container_start(&c, oci_config(img), "/run/data", true, 1 << 28,
	        &why) !=
	    DSTACK_OK)
		fail_msg("%s", why.text);
	read_until(&c, "ready\n", out, sizeof(out));
	static const char *const lines[] = { "args=2 one", "env=hi",
		"user=33:44", "cwd=/w/d", "pid=1", "nnp=1", "seccomp=2",
		"caps=0", "data=0", "host=0", "tmp=0", "volume=0", "sock=0",
		"guest0=0" };
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		expect(out, lines[i]);
	as_listed(out, 1);
	expect(out, "guest1=101"); /* ENETUNREACH: there is no route */
	assert_true(container_answers(&c, 5000));
	struct stat s;
	assert_int_equal(stat("/run/data/app/f", &s), 0);
	assert_int_equal(s.st_uid, SPEC_ID_BASE + 33);
	assert_int_equal(stat("/run/data/app/sub/f", &s), 0);
	assert_int_equal(s.st_uid, SPEC_ID_BASE + 33);
	assert_int_equal(s.st_gid, 5);
	assert_int_equal(stat("/run/data/app/sub/x", &s), 0);
	assert_int_equal(s.st_uid, SPEC_ID_BASE + 8);
	assert_int_equal(lstat("/run/data/app/sub/l", &s), 0);
	assert_int_equal(s.st_uid, SPEC_ID_BASE + 33);
	assert_int_equal(stat("/etc/passwd", &s), 0);
	assert_int_equal(s.st_uid, 0);
	int status = 0;
	assert_false(container_ended(&c, &status));
	container_stop(&c, 10000);
	read_until(&c, "stopped\n", out, sizeof(out));
	assert_false(container_answers(&c, 1000));
	/* The same tree again, as after a crash. */
	if (container_start(&c, oci_config(img), "/run/data", true, 1 << 28,
	        &why) !=
	    DSTACK_OK)
		fail_msg("%s", why.text);
	read_until(&c, "ready\n", out, sizeof(out));
	assert_int_equal(kill(c.pid, SIGKILL), 0);
	struct pollfd p = { .fd = c.pidfd, .events = POLLIN };
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_true(container_ended(&c, &status));
	assert_true(WIFSIGNALED(status));
	close(tcp);
	close(local);
	container_drop(&c);
	assert_int_equal(access("/run/dstack/app/0/root", F_OK), -1);
}

static void
two_slots_run_side_by_side_and_apart(void **state)
{
	(void)state;
	struct why why = { "" };
	struct container c[2];
	AUTO_OCI struct oci_image *img = NULL;
	AUTO_WR struct wr ar = wr_new(0);
	AUTO_OCI struct oci_image *img2 = NULL;
	AUTO_WR struct wr ar2 = wr_new(0);
	static char out[16384];
	int fd[4];
	static const char cfg[] = "{\"Cmd\":[\"/battery\",\"a\",\"80\"],"
				  "\"ExposedPorts\":{\"80/tcp\":{}}}";
	if (!can)
		skip();
	container_init(&c[0], 0);
	container_init(&c[1], 1);
	make(&c[0], &img, &ar, cfg, &why);
	make(&c[1], &img2, &ar2, cfg, &why);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
		    container_listen(&c[i], &fd[2 * i], &fd[2 * i + 1], &why),
		    DSTACK_OK);
		int ttl = 0; /* what is accepted from it has the same */
		socklen_t n = sizeof(ttl);
		assert_int_equal(getsockopt(fd[2 * i], IPPROTO_IP, IP_TTL,
		                     &ttl, &n),
		    0);
		assert_int_equal(ttl, 1);
		if (container_start(&c[i], oci_config(img), NULL, true, 1 << 28,
		        &why) !=
		    DSTACK_OK)
			fail_msg("%s", why.text);
		read_until(&c[i], "ready\n", out, sizeof(out));
		expect(out, "user=0:0"); /* root inside: nobody outside */
		expect(out, "bind=0");   /* a low port without a capability */
		expect(out, "mount=1");
		expect(out, "raw=1");
		expect(out, i == 0 ? "guest0=0" : "guest1=0");
		assert_null(strstr(out, i == 0 ? "guest1=0" : "guest0=0"));
	}
	assert_true(container_answers(&c[0], 5000));
	assert_true(container_answers(&c[1], 5000));
	container_drop(&c[0]);
	assert_true(container_answers(&c[1], 5000));
	container_drop(&c[1]);
	for (int i = 0; i < 4; i++)
		close(fd[i]);
}

/*
 * A replaced version's tree is memory, which is given back while its
 * successor runs: nothing of the successor holds it. The kernel says when a
 * file system itself is gone, and not only one mount of it.
 */
static void
a_dropped_tree_is_gone_while_the_next_runs(void **state)
{
	(void)state;
	struct why why = { "" };
	struct container c[2];
	AUTO_OCI struct oci_image *img = NULL;
	AUTO_WR struct wr ar = wr_new(0);
	AUTO_OCI struct oci_image *img2 = NULL;
	AUTO_WR struct wr ar2 = wr_new(0);
	static const char cfg[] = "{\"Cmd\":[\"/battery\",\"a\",\"80\"]}";
	char path[64];
	struct inotify_event e = { .mask = 0 };
	if (!can)
		skip();
	container_init(&c[0], 0);
	container_init(&c[1], 1);
	make(&c[0], &img, &ar, cfg, &why);
	make(&c[1], &img2, &ar2, cfg, &why);
	int fd[4];
	for (int i = 0; i < 2; i++)
		if (container_listen(&c[i], &fd[2 * i], &fd[2 * i + 1],
			&why) != DSTACK_OK ||
		    container_start(&c[i], oci_config(i == 0 ? img : img2),
			NULL, true, 1 << 28, &why) != DSTACK_OK)
			fail_msg("%s", why.text);
	int in = inotify_init1(IN_CLOEXEC);
	static const char *const held[] = { "root", "host" };
	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(path, sizeof(path), CONTAINER_BASE "/0/%s",
		    held[i]);
		assert_true(inotify_add_watch(in, path, IN_CREATE) > 0);
	}
	for (int i = 0; i < 2; i++)
		close(fd[i]); /* its socket for the app is a file of the tree's */
	container_drop(&c[0]);
	for (int gone = 0; gone < 2; gone += (e.mask & IN_UNMOUNT) != 0) {
		struct pollfd p = { .fd = in, .events = POLLIN };
		if (poll(&p, 1, 5000) != 1)
			fail_msg("%d of 2 are still held", 2 - gone);
		assert_true(read(in, &e, sizeof(e)) > 0);
	}
	close(in);
	int status = 0;
	assert_false(container_ended(&c[1], &status));
	container_drop(&c[1]);
}

/*
 * Root of a container is what Docker's is, inside: it hands files over,
 * becomes another user, changes its root. Nothing of it reaches the guest.
 */
static void
root_inside_does_what_dockers_does_and_nothing_outside(void **state)
{
	(void)state;
	struct why why = { "" };
	struct container c;
	AUTO_OCI struct oci_image *img = NULL;
	AUTO_WR struct wr ar = wr_new(0);
	static char out[16384];
	struct stat s;
	int fd[2];
	if (!can)
		skip();
	assert_int_equal(mkdir("/run/vol", 0711), 0);
	assert_int_equal(mkdir("/run/vol/app", 0755), 0);
	container_init(&c, 0);
	make(&c, &img, &ar,
	    "{\"Cmd\":[\"/battery\"],\"Volumes\":{\"/var/lib/y/\":{},"
	    "\"/var/lib/x\":{},\"/proc/x\":{},\"/etc\":{},"
	    "\"/var/lib/y/etc\":{}}}", &why);
	assert_int_equal(
	    container_listen(&c, &fd[0], &fd[1], &why), DSTACK_OK);
	if (container_start(&c, oci_config(img), "/run/vol", true, 1 << 28,
	        &why) != DSTACK_OK)
		fail_msg("%s", why.text);
	read_until(&c, "ready\n", out, sizeof(out));
	static const char *const lines[] = { "user=0:0", "nnp=1", "seccomp=2",
		"caps=12", "filecaps=0", "names=0", "hostfile=0", "filled=yes",
		"data=0", "host=0", "tmp=0", "volume=0", "sock=0",
		"guest0=0" };
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		expect(out, lines[i]);
	as_listed(out, 0);
	expect(out, "guest1=101");
	assert_null(strstr(out, "bound=0\n"));
	assert_null(strstr(out, "attach=0\n"));
	container_drop(&c);
	/* two VOLUMEs, one in the other, one that was empty, and /etc */
	assert_int_equal(stat("/run/vol/volumes", &s), 0);
	assert_int_equal(s.st_nlink, 2 + 4);
	for (int i = 0; i < 2; i++)
		close(fd[i]);
}

/* --- where the network leads, with a way out and without ---------------- */

/*
 * This namespace is the guest's: with its planes and its link to the host, all
 * of which listen. The other end of the second device is the host's, who has
 * every address there and answers at all of them.
 */
static int far_ns = -1, way_out = -1;

static void
take_address(int nl, const char *link, unsigned ip, unsigned bits)
{
	const uint8_t b[4] = { (uint8_t)(ip >> 24), (uint8_t)(ip >> 16),
		(uint8_t)(ip >> 8), (uint8_t)ip };
	struct why why;
	assert_int_equal(nl_addr_add(nl, link, b, bits, &why), DSTACK_OK);
}

static void
hears(unsigned ip, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port) };
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	a.sin_addr.s_addr = htonl(ip);
	assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(s, 64), 0); /* for the life of this test */
}

static bool
around(void)
{
	struct why why = { "" };
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int nl = -1, far = -1;
	if (unshare(CLONE_NEWNET) != 0)
		return false;
	far_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_int_equal(nl_open(&far, &why), DSTACK_OK);
	hears(INADDR_ANY, 80);
	hears(INADDR_ANY, 53);
	hears(INADDR_ANY, 443);
	assert_int_equal(setns(here, CLONE_NEWNET), 0);
	assert_int_equal(nl_open(&nl, &why), DSTACK_OK);
	assert_int_equal(nl_link_up(nl, "lo", &why), DSTACK_OK);
	take_address(nl, "lo", 0x0a00020f, 32); /* the planes' */
	take_address(nl, "lo", 0x0a000202, 32); /* QEMU's, as it were */
	take_address(nl, "lo", 0x0a000203, 32);
	hears(0x0a00020f, 80);
	hears(0x0a00020f, 443);
	hears(0x0a000202, 80);
	hears(0x0a000203, 80);
	assert_int_equal(nl_veth_add(nl, EGRESS_NIC, "far", far_ns, &why),
	    DSTACK_OK);
	if (egress_make(&way_out, &why) != DSTACK_OK)
		return false; /* no nf_tables here: test_egress says so, too */
	take_address(far, "far", 0x0a000302, 24);
	take_address(far, "far", 0x0a000303, 24);
	assert_int_equal(nl_link_up(far, "far", &why), DSTACK_OK);
	assert_int_equal(nl_link_up(far, "lo", &why), DSTACK_OK);
	static const unsigned every[] = { 0xc0a80101, 0xa9fea9fe, 0xc0000250 };
	for (size_t i = 0; i < 3; i++)
		take_address(far, "lo", every[i], 32);
	close(nl);
	close(far);
	close(here);
	return true;
}

/* What is open to an app is what docs/isolation.md says, and nothing else. */
static void
the_network_leads_out_or_nowhere_and_never_in(void **state)
{
	static struct listed row[LISTED_MAX];
	static const char *const configs[] = {
		"{\"Cmd\":[\"/battery\",\"network\"]}",
		"{\"Cmd\":[\"/battery\",\"network\"],\"User\":\"web\"}" };
	static char out[2][16384];
	struct why why = { "" };
	(void)state;
	if (!can || !around())
		skip();
	const size_t rows = listed("## Network", row);
	for (size_t user = 0; user < 2; user++) {
		for (int open = 0; open < 2; open++) {
			/* the other slot has an app, with what it may have */
			struct container c[2];
			AUTO_OCI struct oci_image *img0 = NULL;
			AUTO_OCI struct oci_image *img1 = NULL;
			AUTO_WR struct wr ar = wr_new(0);
			AUTO_WR struct wr ar2 = wr_new(0);
			int fd[4];
			for (unsigned s = 0; s < 2; s++) {
				container_init(&c[s], s);
				c[s].egress = open ? way_out : -1;
			}
			make(&c[1], &img1, &ar2, "{\"Cmd\":[\"/battery\"]}",
			    &why);
			make(&c[0], &img0, &ar, configs[user], &why);
			for (int s = 1; s >= 0; s--) {
				if (container_listen(&c[s], &fd[2 * s],
					&fd[2 * s + 1], &why) != DSTACK_OK ||
				    container_start(&c[s],
					oci_config(s == 0 ? img0 : img1),
					NULL, true,
					1 << 28, &why) != DSTACK_OK)
					fail_msg("%s", why.text);
				read_until(&c[s], "ready\n", out[open],
				    sizeof(out[open]));
			}
			for (int s = 0; s < 2; s++)
				container_drop(&c[s]);
			for (int i = 0; i < 4; i++)
				close(fd[i]);
		}
		for (size_t i = 0; i < rows; i++)
			for (int k = 0; k < 2; k++) {
				int got = result(out[k], row[i].name);
				const char *is = got == 0 ? "open" : "closed";
				print_message("# %s: %s: %s %d\n",
				    user ? "user" : "root", row[i].name,
				    k == 0 ? "none" : "open", got);
				if (got < 0 ||
				    strcmp(is, row[i].cell[k]) != 0)
					fail_msg("%s", row[i].name);
			}
	}
}

static void
an_image_that_cannot_run_says_so(void **state)
{
	(void)state;
	struct why why = { "" };
	struct container c;
	AUTO_OCI struct oci_image *img = NULL;
	AUTO_WR struct wr ar = wr_new(0);
	AUTO_OCI struct oci_image *img2 = NULL;
	AUTO_WR struct wr ar2 = wr_new(0);
	if (!can)
		skip();
	container_init(&c, 0);
	make(&c, &img, &ar, "{\"Cmd\":[\"/nothing\"]}", &why);
	int tcp = -1;
	int local = -1;
	assert_int_equal(container_listen(&c, &tcp, &local, &why), DSTACK_OK);
	assert_int_equal(
	    container_start(&c, oci_config(img), NULL, false, 1 << 28, &why),
	    DSTACK_E_SYS);
	assert_non_null(strstr(why.text, "nothing"));
	close(tcp);
	close(local);
	make(&c, &img2, &ar2, "{\"Cmd\":[\"/battery\"],\"User\":\"nobody\"}",
	    &why);
	assert_int_equal(
	    container_start(&c, oci_config(img2), NULL, false, 1 << 28, &why),
	    DSTACK_E_REJECTED);
	assert_non_null(strstr(why.text, "nobody"));
	container_drop(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_app_gets_what_its_image_says_and_no_more),
		cmocka_unit_test(two_slots_run_side_by_side_and_apart),
		cmocka_unit_test(a_dropped_tree_is_gone_while_the_next_runs),
		cmocka_unit_test(
		    root_inside_does_what_dockers_does_and_nothing_outside),
		cmocka_unit_test(the_network_leads_out_or_nowhere_and_never_in),
		cmocka_unit_test(an_image_that_cannot_run_says_so),
	};
	return cmocka_run_group_tests(tests, prepare, cleanup);
}
