/* SPDX-License-Identifier: Apache-2.0 */
/* init's checks and the roles' descriptors; see guest/init/boot.h, guest/init/spawn.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/own.h"
#include "guest/init/boot.h"
#include "guest/init/netlink.h"
#include "guest/init/spawn.h"
#include "guest/init/supervise.h"
#include "protocol/link.h"

static void
the_image_s_own_command_line_passes(void **state)
{
	(void)state;
	struct why why;
	assert_int_equal(boot_cmdline_check("console=ttyS0 quiet panic=-1 "
					    "cryptomgr.notests\n",
			     &why),
	    DSTACK_OK);
	assert_int_equal(boot_cmdline_check("", &why), DSTACK_OK);
}

static void
a_command_line_word_that_changes_init_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = { "dstack.x=1", "quiet dstack.debug",
		"init=/bin/sh", "quiet rdinit=/bin/sh", "a\trd.break",
		"systemd.unit=rescue", "module_blacklist=dm_crypt" };
	struct why why;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
		    boot_cmdline_check(bad[i], &why), DSTACK_E_REJECTED);
	/* only at the start of a word */
	assert_int_equal(
	    boot_cmdline_check("foo=dstack.x noinit=1", &why), DSTACK_OK);
}

static void
a_real_tee_takes_no_rpc_s_word(void **state)
{
	(void)state;
#define NETCFG(view)                                                           \
	"dstack-netcfg=2\nchain-id=1\n"                                        \
	"contract=0x00000000000000000000000000000000000000aa\n"               \
	"code-hash=0x"                                                        \
	"00000000000000000000000000000000000000000000000000000000000000bb\n" \
	"view=" view "max-age=60\ntls-domain=a.test\nct=onchain\nlog-app=0\n"
	static const char rpc[] = NETCFG("rpc\nconfirmations=12\n");
	static const char beacon[] = NETCFG("beacon\nbeacon=mainnet\n"
	    "checkpoint=0x"
	    "00000000000000000000000000000000000000000000000000000000000000cc\n"
	    "finality=finalized\n");
	struct why why = { "" };
	assert_int_equal(boot_view(rpc, strlen(rpc), true, &why), DSTACK_OK);
	assert_int_equal(
	    boot_view(rpc, strlen(rpc), false, &why), DSTACK_E_REJECTED);
	assert_non_null(strstr(why.text, "view=rpc"));
	assert_int_equal(
	    boot_view(beacon, strlen(beacon), false, &why), DSTACK_OK);
	assert_int_equal(
	    boot_view(beacon, strlen(beacon), true, &why), DSTACK_OK);
	assert_int_equal(
	    boot_view(rpc, strlen(rpc) - 1, true, &why), DSTACK_E_FORMAT);
}

/* Feed one answer, read netcfg back. */
static enum dstack_status
netcfg_with(uint16_t status, uint32_t id, uint64_t size, const char *text,
    size_t n, char *out, size_t *len)
{
	int pair[2];
	struct why why;
	AUTO_WR struct wr body = wr_new(0), w = wr_new(0);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	wr_u64be(&body, size);
	wr_put(&body, text, n);
	link_put_answer(&w, id, status, body.buf, body.len);
	assert_int_equal(write(pair[1], w.buf, w.len), (ssize_t)w.len);
	assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
	enum dstack_status st =
	    boot_netcfg(pair[0], out, NETCFG_MAX + 1, len, &why);
	(void)close(pair[0]);
	(void)close(pair[1]);
	return st;
}

static void
netcfg_is_taken_whole_or_not_at_all(void **state)
{
	(void)state;
	char out[NETCFG_MAX + 1], big[NETCFG_MAX + 1];
	size_t len;

	assert_int_equal(netcfg_with(200, 1, 3, "a=1", 3, out, &len), DSTACK_OK);
	assert_int_equal(len, 3);
	assert_string_equal(out, "a=1");
	/* cut short, empty, another id, an error, longer than allowed */
	assert_int_not_equal(
	    netcfg_with(200, 1, 4, "a=1", 3, out, &len), DSTACK_OK);
	assert_int_not_equal(
	    netcfg_with(200, 1, 0, "", 0, out, &len), DSTACK_OK);
	assert_int_not_equal(
	    netcfg_with(200, 2, 3, "a=1", 3, out, &len), DSTACK_OK);
	assert_int_equal(
	    netcfg_with(404, 1, 3, "a=1", 3, out, &len), DSTACK_E_MISSING);
	memset(big, 'a', sizeof(big));
	assert_int_not_equal(netcfg_with(200, 1, sizeof(big), big, sizeof(big),
				 out, &len),
	    DSTACK_OK);
}

static void
a_sealed_netcfg_cannot_be_changed(void **state)
{
	(void)state;
	struct why why;
	int fd = -1;
	char c;

	assert_int_equal(boot_seal("a=1\n", 4, &fd, &why), DSTACK_OK);
	assert_int_equal(pwrite(fd, "b", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(read(fd, &c, 1), 1);
	assert_int_equal(c, 'a');
	(void)close(fd);
}

static void
only_roles_that_may_talk_have_an_edge(void **state)
{
	(void)state;
	static struct plan p;
	struct why why;

	plan_init(&p);
	assert_int_equal(plan_edges(&p, PLAN_ALL, &why), DSTACK_OK);
	for (int a = 0; a < ROLE_COUNT; a++) {
		for (int b = 0; b < ROLE_COUNT; b++) {
			bool may = a != b &&
			    (role_may_ask((enum role)a, (enum role)b) ||
				role_may_ask((enum role)b, (enum role)a));
			assert_int_equal(p.edge[a][b] >= 0, may);
			/* above every descriptor a role is born with */
			if (may)
				assert_true(p.edge[a][b] > FD_EDGE + ROLE_COUNT);
			if (may)
				assert_int_equal(fcntl(p.edge[a][b], F_GETFD),
				    FD_CLOEXEC);
		}
	}
	assert_int_equal(p.edge[ROLE_KUBERNETHES][ROLE_KEYD], -1);
	assert_int_equal(p.edge[ROLE_TLS][ROLE_TEE], -1);
	plan_close(&p);
	assert_int_equal(p.edge[ROLE_HOSTLINK][ROLE_TLS], -1);
	assert_true(p.edge[ROLE_INIT][ROLE_KEYD] >= 0);
	for (int r = 1; r < ROLE_COUNT; r++)
		(void)close(p.edge[ROLE_INIT][r]);
}

/* A clock that the host slows makes an old view of the chain look young. */
static void
a_real_tee_counts_by_the_tsc_alone(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool good;
	} clocks[] = { { "tsc\n", true }, { "tsc-early\n", true },
		{ "kvm-clock\n", false }, { "hyperv_clocksource_tsc_page\n",
		false }, { "tsc2\n", false }, { "ts\n", false },
		{ "hpet\n", false }, { "", false } };
	struct why why = { "" };
	char path[] = "/tmp/test_init.clock.XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, clocks[i].text,
				     strlen(clocks[i].text), 0),
		    strlen(clocks[i].text));
		assert_int_equal(boot_clock(path, true, &why), DSTACK_OK);
		assert_int_equal(boot_clock(path, false, &why),
		    clocks[i].good ? DSTACK_OK : DSTACK_E_REJECTED);
	}
	(void)close(fd);
	(void)unlink(path);
	assert_int_equal(boot_clock(path, false, &why), DSTACK_E_REJECTED);
}

static void
the_host_learns_of_listed_phases_only(void **state)
{
	(void)state;
	assert_true(watch_phase_known("onboarded"));
	assert_false(watch_phase_known("secret=1"));
	assert_false(watch_phase_known(""));
}

static void
the_clock_is_set_forward_and_by_more_than_blocks_are_apart(void **state)
{
	(void)state;
	assert_true(watch_clock_behind(1800000061, 1800000000));
	assert_false(watch_clock_behind(1800000060, 1800000000));
	assert_false(watch_clock_behind(1700000000, 1800000000));
	assert_false(watch_clock_behind(UINT64_MAX, 1800000000));
	assert_false(watch_clock_behind(4102444800, 1800000000));
	assert_false(watch_clock_behind(1800000061, -1));
	assert_true(watch_clock_behind(1800000061, 0));
}

static void
an_address_to_listen_on_is_ip_and_port(void **state)
{
	(void)state;
	static const char *const bad[] = { "", "80", "127.0.0.1", "127.0.0.1:",
		"127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:80x",
		"localhost:80", "127.0.0.1.1.1.1.1.1:80" };
	struct why why;
	int fd;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
		    boot_listen(bad[i], NULL, &fd, &why), DSTACK_E_FORMAT);
}

static bool
somebody_answers(const char *ip, uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(port) };
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(inet_pton(AF_INET, ip, &to.sin_addr), 1);
	return connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0;
}

/* A container that has made itself a route to the guest's other address. */
static void
the_host_s_listeners_hear_the_host_s_link_only(void **state)
{
	(void)state;
	static const uint8_t ip[4] = { 10, 0, 2, 15 };
	static const uint8_t here[4] = { 10, 88, 0, 1 };
	static const uint8_t there[4] = { 10, 88, 0, 2 };
	struct why why = { "" };
	AUTO_CLOSE int nl = -1;
	AUTO_CLOSE int in = -1;
	AUTO_CLOSE int deaf = -1;
	AUTO_CLOSE int heard = -1;
	if (unshare(CLONE_NEWNET) != 0)
		skip();
	AUTO_CLOSE int inner = open("/proc/thread-self/ns/net", O_RDONLY);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(nl_open(&nl, &why), DSTACK_OK);
	assert_int_equal(nl_open_in(inner, &in, &why), DSTACK_OK);
	assert_int_equal(
	    nl_veth_add(nl, BOOT_NIC, "host", -1, &why), DSTACK_OK);
	assert_int_equal(nl_addr_add(nl, BOOT_NIC, ip, 24, &why), DSTACK_OK);
	assert_int_equal(nl_link_up(nl, BOOT_NIC, &why), DSTACK_OK);
	assert_int_equal(
	    nl_veth_add(nl, "app0", "eth0", inner, &why), DSTACK_OK);
	assert_int_equal(nl_addr_add(nl, "app0", here, 30, &why), DSTACK_OK);
	assert_int_equal(nl_link_up(nl, "app0", &why), DSTACK_OK);
	assert_int_equal(nl_addr_add(in, "eth0", there, 30, &why), DSTACK_OK);
	assert_int_equal(nl_link_up(in, "eth0", &why), DSTACK_OK);
	assert_int_equal(nl_route_default(in, here, &why), DSTACK_OK);
	assert_int_equal(boot_listen("10.0.2.15:80", BOOT_NIC, &deaf, &why),
	    DSTACK_OK);
	assert_int_equal(boot_listen("10.0.2.15:81", NULL, &heard, &why),
	    DSTACK_OK);
	assert_int_equal(setns(inner, CLONE_NEWNET), 0);
	assert_true(somebody_answers("10.0.2.15", 81));
	assert_false(somebody_answers("10.0.2.15", 80));
}

static char
sysctl_byte(const char *path)
{
	char c = '?';
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, &c, 1) == 1 ? c : '?';
}

/* The front speaks in the clear to the app: nobody else may answer for it. */
static void
a_packet_in_a_container_s_name_is_heard_from_its_link_only(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNET) != 0)
		skip();
	(void)boot_write("/proc/sys/net/ipv4/ip_forward", "1");
	(void)boot_write("/proc/sys/net/ipv4/conf/all/rp_filter", "0");
	if (sysctl_byte("/proc/sys/net/ipv4/conf/all/rp_filter") != '0')
		skip(); /* /proc/sys is read-only here */
	boot_net_sysctls();
	assert_int_equal(
	    sysctl_byte("/proc/sys/net/ipv4/conf/all/rp_filter"), '1');
	assert_int_equal(sysctl_byte("/proc/sys/net/ipv4/ip_forward"), '0');
}

/* The others' packets are read, whatever one of them writes. */
static void
a_role_that_writes_without_end_does_not_hold_init(void **state)
{
	static struct plan plan;
	static struct watch w = { .plan = &plan, .stop = -1 };
	struct why why = { "" };
	int pair[2];
	(void)state;
	plan_init(&plan);
	for (int r = 0; r < ROLE_COUNT; r++)
		w.child[r].log = -1;
	w.child[ROLE_VERIFIER].log = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	assert_true(w.child[ROLE_VERIFIER].log >= 0);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	plan.edge[ROLE_INIT][ROLE_KUBERNETHES] = pair[0];
	assert_int_equal(write(pair[1], "\3too much", 9), 9);
	int saved = dup(STDERR_FILENO);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	assert_int_equal(dup2(null, STDERR_FILENO), STDERR_FILENO);
	(void)alarm(60); /* or the program ends */
	enum dstack_status st = supervise(&w, -1, &why);
	(void)alarm(0);
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	assert_int_equal(st, DSTACK_E_REJECTED);
	assert_string_equal(why.text, "kubernethes gave up: too much");
	(void)close(saved);
	(void)close(null);
	(void)close(w.child[ROLE_VERIFIER].log);
	(void)close(pair[0]);
	(void)close(pair[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_image_s_own_command_line_passes),
		cmocka_unit_test(
		    a_command_line_word_that_changes_init_is_refused),
		cmocka_unit_test(a_real_tee_takes_no_rpc_s_word),
		cmocka_unit_test(netcfg_is_taken_whole_or_not_at_all),
		cmocka_unit_test(a_sealed_netcfg_cannot_be_changed),
		cmocka_unit_test(only_roles_that_may_talk_have_an_edge),
		cmocka_unit_test(
		    the_clock_is_set_forward_and_by_more_than_blocks_are_apart),
		cmocka_unit_test(a_real_tee_counts_by_the_tsc_alone),
		cmocka_unit_test(the_host_learns_of_listed_phases_only),
		cmocka_unit_test(an_address_to_listen_on_is_ip_and_port),
		cmocka_unit_test(
		    a_packet_in_a_container_s_name_is_heard_from_its_link_only),
		cmocka_unit_test(
		    the_host_s_listeners_hear_the_host_s_link_only),
		cmocka_unit_test(
		    a_role_that_writes_without_end_does_not_hold_init),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
