/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way out, by the kernel that runs this test: its rules, routes and NAT
 * between a container's namespace and one that stands for the host, which has
 * the far end of the device and answers for the whole Internet. Namespaces of
 * its own; skipped where they may not be made or the kernel has no nf_tables.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/own.h"
#include "guest/init/boot.h"
#include "guest/init/egress.h"
#include "guest/init/netlink.h"
#include "guest/init/nft.h"

#define WAIT_MS 400    /* for what is not to come */
#define SURE_MS 10000  /* for what is, on a busy machine */

/* Namespaces: the guest's own, the way out, two containers, the host. */
static int guest = -1, out = -1, app[2] = { -1, -1 }, host = -1;
static bool can;

static void
enter(int ns)
{
	assert_int_equal(setns(ns, CLONE_NEWNET), 0);
}

static int
fresh(void)
{
	int fd = unshare(CLONE_NEWNET) == 0
	    ? open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
	    : -1;
	return fd;
}

static struct sockaddr_in
at(const char *ip, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(port) };
	assert_int_equal(inet_pton(AF_INET, ip, &a.sin_addr), 1);
	return a;
}

/* The far end of the device: gateway, and an owner of every address. */
static enum dstack_status
make_host(struct why *why)
{
	static const uint8_t gw[4] = { 10, 0, 3, 2 };
	static const uint8_t dns[4] = { 10, 0, 3, 3 };
	static const uint8_t every[3][4] = { { 192, 0, 2, 80 },
		{ 192, 168, 1, 1 }, { 169, 254, 169, 254 } };
	AUTO_CLOSE int nl = -1;
	enum dstack_status st = nl_open_in(host, &nl, why);
	if (st == DSTACK_OK)
		st = nl_link_up(nl, "lo", why);
	if (st == DSTACK_OK)
		st = nl_addr_add(nl, "far", gw, 24, why);
	if (st == DSTACK_OK)
		st = nl_addr_add(nl, "far", dns, 24, why);
	if (st == DSTACK_OK)
		st = nl_link_up(nl, "far", why);
	for (size_t i = 0; i < 3 && st == DSTACK_OK; i++)
		st = nl_addr_add(nl, "lo", every[i], 32, why);
	/* back to the VM; a host may send whatever it likes, wherever */
	enter(host);
	(void)boot_write("/proc/sys/net/ipv4/ip_forward", "1");
	enter(guest);
	return st;
}

static int
prepare(void **state)
{
	struct why why = { "" };
	AUTO_CLOSE int nl = -1;
	(void)state;
	if ((host = fresh()) < 0 || (app[0] = fresh()) < 0 ||
	    (app[1] = fresh()) < 0 || (guest = fresh()) < 0)
		return 0;
	/* without the kernel's part there is nothing to test */
	AUTO_CLOSE int nf = -1;
	struct nft n;
	if (nft_open(&nf, &why) != DSTACK_OK)
		return 0;
	nft_begin(&n, "probe");
	enum dstack_status st = nft_commit(&n, nf, &why);
	nft_free(&n);
	if (st != DSTACK_OK)
		return 0;
	assert_int_equal(nl_open(&nl, &why), DSTACK_OK);
	assert_int_equal(nl_veth_add(nl, EGRESS_NIC, "far", host, &why),
	    DSTACK_OK);
	if (egress_make(&out, &why) != DSTACK_OK)
		fail_msg("%s", why.text);
	if (make_host(&why) != DSTACK_OK)
		fail_msg("%s", why.text);
	for (unsigned s = 0; s < 2; s++)
		if (egress_join(out, app[s], s, &why) != DSTACK_OK)
			fail_msg("%s", why.text);
	can = true;
	return 0;
}

static int
server(int ns, const char *ip, uint16_t port, int type)
{
	const struct sockaddr_in a = at(ip, port);
	const int one = 1;
	enter(ns);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(
	    bind(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 8), 0);
	enter(guest);
	return fd;
}

/* 0, or the errno; ETIMEDOUT: no answer. */
static int
reach_in(int ns, const char *ip, uint16_t port, int wait_ms)
{
	const struct sockaddr_in a = at(ip, port);
	int err = 0;
	socklen_t n = sizeof(err);
	enter(ns);
	AUTO_CLOSE int fd = socket(
	    AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) != 0) {
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		err = errno;
		if (err == EINPROGRESS && poll(&p, 1, wait_ms) != 1)
			err = ETIMEDOUT;
		else if (err == EINPROGRESS)
			(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n);
	}
	enter(guest);
	return err;
}

static int
reach(int ns, const char *ip, uint16_t port)
{
	return reach_in(ns, ip, port, WAIT_MS);
}

/* The Internet, by one of its ports. */
static void
reaches(int ns, uint16_t port)
{
	assert_int_equal(reach_in(ns, "192.0.2.80", port, SURE_MS), 0);
}

static void
an_app_reaches_the_internet_in_the_vms_name(void **state)
{
	(void)state;
	if (!can)
		skip();
	AUTO_CLOSE int l = server(host, "192.0.2.80", 80, SOCK_STREAM);
	struct sockaddr_in peer;
	socklen_t n = sizeof(peer);
	char text[INET_ADDRSTRLEN];
	for (int s = 0; s < 2; s++) {
		reaches(app[s], 80);
		AUTO_CLOSE int c = accept(l, (struct sockaddr *)&peer, &n);
		assert_true(c >= 0);
		/* not by the address that it has inside */
		inet_ntop(AF_INET, &peer.sin_addr, text, sizeof(text));
		assert_string_equal(text, "10.0.3.15");
	}
}

static void
datagrams_go_out_and_their_answers_come_back(void **state)
{
	(void)state;
	if (!can)
		skip();
	AUTO_CLOSE int l = server(host, "192.0.2.80", 123, SOCK_DGRAM);
	struct sockaddr_in peer;
	const struct sockaddr_in to = at("192.0.2.80", 123);
	socklen_t n = sizeof(peer);
	char b[8];
	enter(app[0]);
	AUTO_CLOSE int u = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	enter(guest);
	assert_int_equal(sendto(u, "ask", 3, 0, (const struct sockaddr *)&to,
	                     sizeof(to)), 3);
	struct pollfd p[2] = { { .fd = l, .events = POLLIN },
		{ .fd = u, .events = POLLIN } };
	assert_int_equal(poll(&p[0], 1, SURE_MS), 1);
	assert_int_equal(
	    recvfrom(l, b, sizeof(b), 0, (struct sockaddr *)&peer, &n), 3);
	assert_int_equal(sendto(l, "yes", 3, 0, (struct sockaddr *)&peer, n),
	    3);
	assert_int_equal(poll(&p[1], 1, SURE_MS), 1);
	assert_int_equal(recv(u, b, sizeof(b), 0), 3);
}

/* Each a network that is nobody's on the Internet; the host would answer. */
static void
networks_that_are_not_of_the_internet_are_closed(void **state)
{
	(void)state;
	if (!can)
		skip();
	static const char *const nobody[] = { "10.1.2.3", "172.16.0.1",
		"172.31.255.254", "192.168.1.1", "169.254.169.254",
		"100.64.0.1", "192.0.0.8", "198.18.0.1", "198.19.255.1",
		"10.88.0.1", "10.88.1.1", "10.88.1.2", "10.0.2.15",
		"10.0.2.2", "0.1.2.3", "240.0.0.1" };
	AUTO_CLOSE int a = server(host, "192.168.1.1", 80, SOCK_STREAM);
	AUTO_CLOSE int b = server(host, "169.254.169.254", 80, SOCK_STREAM);
	assert_int_equal(reach(host, "192.168.1.1", 80), 0);
	assert_int_equal(reach(host, "169.254.169.254", 80), 0);
	/* told at once, where the kernel has not told it too often */
	assert_int_equal(reach(app[0], nobody[0], 80), EHOSTUNREACH);
	for (size_t i = 1; i < sizeof(nobody) / sizeof(nobody[0]); i++) {
		int e = reach(app[0], nobody[i], 80);
		if (e != EHOSTUNREACH && e != ETIMEDOUT)
			fail_msg("%s: %s", nobody[i], strerror(e));
	}
}

/* It has a route, as the next hop of all others: here the rules stand alone. */
static void
the_gateway_is_passed_through_and_not_spoken_to(void **state)
{
	(void)state;
	if (!can)
		skip();
	AUTO_CLOSE int a = server(host, "10.0.3.2", 22, SOCK_STREAM);
	AUTO_CLOSE int u = server(host, "10.0.3.2", 53, SOCK_DGRAM);
	assert_int_equal(reach(app[0], "10.0.3.2", 22), ETIMEDOUT);
	assert_int_equal(reach(app[0], "10.0.3.9", 22), ETIMEDOUT);
	/* nor does the namespace itself speak to it, or listen */
	assert_int_not_equal(reach(out, "10.0.3.2", 22), 0);
	assert_int_equal(reach(host, "10.0.3.15", 22), ETIMEDOUT);
	assert_int_equal(reach(app[0], "10.89.0.1", 22), ETIMEDOUT);
}

/* A datagram in a name; does it arrive? */
static bool
arrives(int ns, const char *from, const char *ip, int receiver, uint16_t port,
    int wait_ms)
{
	const struct sockaddr_in a = at(ip, port);
	const struct sockaddr_in b = at(from, 0);
	struct pollfd p = { .fd = receiver, .events = POLLIN };
	char buf[8];
	enter(ns);
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
	    bind(fd, (const struct sockaddr *)&b, sizeof(b)), 0);
	(void)!sendto(fd, "x", 1, 0, (const struct sockaddr *)&a, sizeof(a));
	enter(guest);
	return poll(&p, 1, wait_ms) == 1 &&
	    recv(receiver, buf, sizeof(buf), 0) == 1;
}

static void
the_resolver_is_asked_for_names_and_for_nothing_else(void **state)
{
	(void)state;
	if (!can)
		skip();
	AUTO_CLOSE int u = server(host, EGRESS_RESOLVER, 53, SOCK_DGRAM);
	AUTO_CLOSE int t = server(host, EGRESS_RESOLVER, 53, SOCK_STREAM);
	AUTO_CLOSE int o = server(host, EGRESS_RESOLVER, 22, SOCK_STREAM);
	AUTO_CLOSE int p = server(host, EGRESS_RESOLVER, 54, SOCK_DGRAM);
	for (int s = 0; s < 2; s++) {
		const char *from = s == 0 ? "10.89.0.2" : "10.89.1.2";
		assert_true(arrives(
		    app[s], from, EGRESS_RESOLVER, u, 53, SURE_MS));
		assert_int_equal(
		    reach_in(app[s], EGRESS_RESOLVER, 53, SURE_MS), 0);
		assert_int_equal(
		    reach(app[s], EGRESS_RESOLVER, 22), ETIMEDOUT);
		assert_false(arrives(
		    app[s], from, EGRESS_RESOLVER, p, 54, WAIT_MS));
	}
}

static void
a_slot_speaks_in_its_own_name_and_to_no_other_slot(void **state)
{
	(void)state;
	if (!can)
		skip();
	static const uint8_t other[4] = { 10, 89, 1, 2 };
	static const uint8_t strange[4] = { 192, 0, 2, 7 };
	struct why why = { "" };
	AUTO_CLOSE int nl = -1;
	AUTO_CLOSE int l = server(host, "192.0.2.80", 81, SOCK_STREAM);
	AUTO_CLOSE int b = server(app[1], "10.89.1.2", 80, SOCK_STREAM);
	assert_int_not_equal(reach(app[0], "10.89.1.2", 80), 0);
	/* addresses that are not its own, as root of it could give itself */
	assert_int_equal(nl_open_in(app[0], &nl, &why), DSTACK_OK);
	assert_int_equal(nl_addr_add(nl, EGRESS_NIC, other, 32, &why),
	    DSTACK_OK);
	assert_int_equal(nl_addr_add(nl, EGRESS_NIC, strange, 32, &why),
	    DSTACK_OK);
	AUTO_CLOSE int u = server(host, "192.0.2.80", 124, SOCK_DGRAM);
	assert_true(
	    arrives(app[0], "10.89.0.2", "192.0.2.80", u, 124, SURE_MS));
	/* the reverse path's filter would hold alone: the rule is to, too */
	for (int filter = 1; filter >= 0; filter--) {
		assert_false(
		    arrives(app[0], "10.89.1.2", "192.0.2.80", u, 124, WAIT_MS));
		assert_false(
		    arrives(app[0], "192.0.2.7", "192.0.2.80", u, 124, WAIT_MS));
		enter(out);
		assert_true(boot_write(
		    "/proc/sys/net/ipv4/conf/all/rp_filter", "0"));
		assert_true(boot_write(
		    "/proc/sys/net/ipv4/conf/out0/rp_filter", "0"));
		enter(guest);
	}
	enter(out);
	assert_true(
	    boot_write("/proc/sys/net/ipv4/conf/all/rp_filter", "1"));
	enter(guest);
	reaches(app[0], 81);
}

/* The host routes packets in by the device: to a container, to the VM. */
static void
nothing_comes_in_that_was_not_asked_for(void **state)
{
	(void)state;
	if (!can)
		skip();
	static const uint8_t vm[4] = { 10, 0, 3, 15 };
	struct why why = { "" };
	AUTO_CLOSE int nl = -1;
	AUTO_CLOSE int a = server(app[0], "0.0.0.0", 80, SOCK_STREAM);
	assert_int_equal(nl_open_in(host, &nl, &why), DSTACK_OK);
	/* 10.89.0.2 by way of the VM */
	assert_int_equal(nl_route_default(nl, vm, &why), DSTACK_OK);
	assert_int_equal(reach(host, "10.89.0.2", 80), ETIMEDOUT);
	assert_int_equal(reach(host, "10.88.0.2", 80), ETIMEDOUT);
	struct pollfd p = { .fd = a, .events = POLLIN };
	assert_int_equal(poll(&p, 1, 0), 0);
	AUTO_CLOSE int u = server(app[0], "0.0.0.0", 80, SOCK_DGRAM);
	assert_false(arrives(host, "192.0.2.80", "10.89.0.2", u, 80, WAIT_MS));
	assert_false(arrives(host, "10.0.3.2", "10.89.0.2", u, 80, WAIT_MS));
}

static void
what_left_a_slot_has_no_way_out(void **state)
{
	(void)state;
	if (!can)
		skip();
	struct why why = { "" };
	AUTO_CLOSE int l = server(host, "192.0.2.80", 82, SOCK_STREAM);
	reaches(app[1], 82);
	egress_leave(out, 1);
	egress_leave(out, 1);
	assert_int_equal(reach(app[1], "192.0.2.80", 82), ENETUNREACH);
	assert_int_equal(egress_join(out, app[1], 1, &why), DSTACK_OK);
	reaches(app[1], 82);
}

/* The last place there is: a service of an app of several. */
static void
every_place_has_rules_of_its_own(void **state)
{
	(void)state;
	if (!can)
		skip();
	struct why why = { "" };
	AUTO_CLOSE int far = fresh();
	AUTO_CLOSE int l = server(host, "192.0.2.80", 83, SOCK_STREAM);
	AUTO_CLOSE int u = server(host, EGRESS_RESOLVER, 53, SOCK_DGRAM);
	AUTO_CLOSE int b = server(app[0], "10.89.0.2", 80, SOCK_STREAM);
	enter(guest);
	if (egress_join(out, far, EGRESS_PLACES - 1, &why) != DSTACK_OK)
		fail_msg("%s", why.text);
	reaches(far, 83);
	assert_true(
	    arrives(far, "10.89.15.2", EGRESS_RESOLVER, u, 53, SURE_MS));
	assert_int_not_equal(reach(far, "10.89.0.2", 80), 0);
	assert_int_not_equal(reach(far, "10.0.3.2", 22), 0);
	egress_leave(out, EGRESS_PLACES - 1);
	/* one beyond has a link and no rule that lets it out */
	if (egress_join(out, far, EGRESS_PLACES, &why) != DSTACK_OK)
		fail_msg("%s", why.text);
	assert_int_equal(reach(far, "192.0.2.80", 83), ETIMEDOUT);
	egress_leave(out, EGRESS_PLACES);
}

static void
a_device_that_is_not_there_is_named(void **state)
{
	(void)state;
	struct why why = { "" };
	int ns = -1;
	if (!can)
		skip();
	/* the first one has it */
	assert_int_equal(egress_make(&ns, &why), DSTACK_E_SYS);
	assert_int_equal(ns, -1);
	assert_non_null(strstr(why.text, EGRESS_NIC));
	assert_true(egress_is(out));
	assert_false(egress_is(-1));
	AUTO_CLOSE int no = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_false(egress_is(no));
}

/* A batch holds as a whole or not at all. */
static void
rules_that_the_kernel_refuses_leave_nothing(void **state)
{
	(void)state;
	struct why why = { "" };
	struct nft n;
	AUTO_CLOSE int nf = -1;
	if (!can)
		skip();
	AUTO_CLOSE int ns = fresh();
	assert_true(ns >= 0);
	assert_int_equal(nft_open(&nf, &why), DSTACK_OK);
	for (int good = 0; good < 2; good++) {
		nft_begin(&n, "t");
		nft_chain(&n, "c", "filter", NF_INET_LOCAL_IN, 0, true);
		nft_rule(&n, good ? "c" : "none");
		nft_protocol(&n, 6);
		nft_accept(&n);
		assert_int_equal(nft_commit(&n, nf, &why),
		    good ? DSTACK_OK : DSTACK_E_SYS);
		nft_free(&n);
		if (!good) {
			assert_int_equal(errno, ENOENT);
			assert_non_null(strstr(why.text, "rules of t"));
		}
	}
	enter(guest);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_app_reaches_the_internet_in_the_vms_name),
		cmocka_unit_test(datagrams_go_out_and_their_answers_come_back),
		cmocka_unit_test(
		    networks_that_are_not_of_the_internet_are_closed),
		cmocka_unit_test(
		    the_gateway_is_passed_through_and_not_spoken_to),
		cmocka_unit_test(
		    the_resolver_is_asked_for_names_and_for_nothing_else),
		cmocka_unit_test(
		    a_slot_speaks_in_its_own_name_and_to_no_other_slot),
		cmocka_unit_test(nothing_comes_in_that_was_not_asked_for),
		cmocka_unit_test(what_left_a_slot_has_no_way_out),
		cmocka_unit_test(every_place_has_rules_of_its_own),
		cmocka_unit_test(a_device_that_is_not_there_is_named),
		cmocka_unit_test(rules_that_the_kernel_refuses_leave_nothing),
	};
	return cmocka_run_group_tests(tests, prepare, NULL);
}
