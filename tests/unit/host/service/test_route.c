/* SPDX-License-Identifier: Apache-2.0 */
/* The host service: shared folder, paths, and the link's frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/wr.h"
#include "crypto/secp.h"
#include "host/base/files.h"
#include "host/service/route.h"
#include "host/service/service.h"
#include "protocol/link.h"
#include "protocol/messages.h"
#include "protocol/volume.h"

static char top[64];
static char volume[80];
static struct host_config cfg;
static struct rpc *rpc;
static struct router *router;

static void
put_file(const char *name, const char *text)
{
	char path[200];
	(void)snprintf(path, sizeof(path), "%s/%s", volume, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	(void)fputs(text, f);
	(void)fclose(f);
}

static int
setup(void **state)
{
	char auditing[80];
	char path[200];

	(void)state;
	(void)snprintf(top, sizeof(top), "build/test-route-%d", (int)getpid());
	(void)snprintf(volume, sizeof(volume), "%s/volume", top);
	(void)snprintf(auditing, sizeof(auditing), "%s/auditing", top);
	assert_int_equal(mkdir(top, 0700), 0);
	assert_int_equal(mkdir(volume, 0700), 0);
	(void)snprintf(cfg.host_volume, sizeof(cfg.host_volume), "%s", volume);
	(void)snprintf(cfg.state, sizeof(cfg.state), "%s", top);
	memset(cfg.submitter, 0x11, 20);
	memset(cfg.owner, 0x11, 20);
	memset(cfg.payee, 0x22, 20);
	cfg.index = 3;
	cfg.sim = true;
	rpc = rpc_new("http://127.0.0.1:1"); /* nobody listens there */
	assert_int_equal(
	    router_new(&cfg, rpc, auditing, &router, NULL), DSTACK_OK);
	put_file("netcfg", "hello world");
	(void)snprintf(path, sizeof(path), "%s/link", volume);
	assert_int_equal(symlink("netcfg", path), 0);
	(void)snprintf(path, sizeof(path), "%s/fifo", volume);
	assert_int_equal(mkfifo(path, 0600), 0);
	(void)snprintf(path, sizeof(path), "%s/dir", volume);
	assert_int_equal(mkdir(path, 0700), 0);
	put_file("dir/inner", "no");
	return 0;
}

static int
teardown(void **state)
{
	char cmd[] = "rm";
	char opt[] = "-rf";
	char *argv[] = { cmd, opt, top, NULL };

	(void)state;
	router_free(router);
	rpc_free(rpc);
	pid_t pid = fork();
	if (pid == 0) {
		(void)execv("/bin/rm", argv);
		_exit(127);
	}
	(void)waitpid(pid, NULL, 0);
	return 0;
}

static unsigned
ask(const char *path, const void *body, size_t len, char *out, size_t cap)
{
	struct route_answer a;

	route_handle(router, path, body, len, &a);
	if (out != NULL) {
		size_t n = a.body.len < cap - 1 ? a.body.len : cap - 1;
		if (n > 0)
			memcpy(out, a.body.buf, n);
		out[n] = '\0';
	}
	unsigned status = a.status;
	wr_free(&a.body);
	return status;
}

static unsigned
get(const char *path)
{
	return ask(path, NULL, 0, NULL, 0);
}

static void
file_gives_its_size_and_the_range_asked_for(void **state)
{
	char out[64];

	(void)state;
	assert_int_equal(ask("/file/netcfg/6/3", NULL, 0, out, sizeof(out)), 200);
	assert_memory_equal(out, "\0\0\0\0\0\0\0\x0bwor\0", 12);
	assert_int_equal(ask("/file/netcfg/0/0", NULL, 0, out, sizeof(out)), 200);
	assert_memory_equal(out, "\0\0\0\0\0\0\0\x0b\0", 9);
	assert_int_equal(
	    ask("/file/netcfg/99/10", NULL, 0, out, sizeof(out)), 200);
	assert_memory_equal(out, "\0\0\0\0\0\0\0\x0b\0", 9);
	assert_int_equal(
	    ask("/file/netcfg/6/1000", NULL, 0, out, sizeof(out)), 200);
	assert_memory_equal(out + 8, "world\0", 6);
}

static void
what_is_no_regular_file_is_refused_at_once(void **state)
{
	(void)state;
	assert_int_equal(get("/file/link/0/10"), 400);
	assert_int_equal(get("/file/fifo/0/10"), 400);
	assert_int_equal(get("/file/dir/0/10"), 400);
	assert_int_equal(get("/file/none/0/10"), 404);
}

static void
names_outside_the_folder_are_refused(void **state)
{
	char path[200];

	(void)state;
	assert_int_equal(get("/file/../0/10"), 400);
	assert_int_equal(get("/file/./0/10"), 400);
	assert_int_equal(get("/file//0/10"), 400);
	assert_int_equal(get("/file/dir/inner/0/10"), 404); /* five parts */
	assert_int_equal(get("/file/a b/0/10"), 400);
	assert_int_equal(get("/file/%2e%2e/0/10"), 400);
	memcpy(path, "/file/", 7);
	memset(path + 6, 'a', 64);
	memcpy(path + 70, "/0/1", 5);
	assert_int_equal(get(path), 404);
	memset(path + 6, 'a', 65);
	memcpy(path + 71, "/0/1", 5);
	assert_int_equal(get(path), 400);
}

static void
bad_numbers_are_refused(void **state)
{
	(void)state;
	assert_int_equal(get("/file/netcfg/-1/10"), 400);
	assert_int_equal(get("/file/netcfg/0/"), 400);
	assert_int_equal(get("/file/netcfg/0/0x10"), 400);
	assert_int_equal(get("/file/netcfg/0/163840"), 400);
	assert_int_equal(get("/file/netcfg/0/99999999999999999999"), 400);
}

static void
put_replaces_a_file_and_nothing_else(void **state)
{
	char out[64];

	(void)state;
	assert_int_equal(ask("/put/request.csr", "abc", 3, NULL, 0), 200);
	assert_int_equal(ask("/put/request.csr", "de", 2, NULL, 0), 200);
	assert_int_equal(
	    ask("/file/request.csr/0/9", NULL, 0, out, sizeof(out)), 200);
	assert_memory_equal(out, "\0\0\0\0\0\0\0\2de\0", 11);
	assert_int_equal(ask("/put/link", "x", 1, NULL, 0), 400);
	assert_int_equal(ask("/put/dir", "x", 1, NULL, 0), 400);
	assert_int_equal(ask("/put/fifo", "x", 1, NULL, 0), 400);
	assert_int_equal(ask("/put/..", "x", 1, NULL, 0), 400);
	assert_int_equal(ask("/put/.hidden", "x", 1, NULL, 0), 400);
}

static void
what_the_host_feeds_the_guest_is_not_overwritten(void **state)
{
	(void)state;
	assert_int_equal(ask("/put/netcfg", "x", 1, NULL, 0), 400);
	assert_int_equal(ask("/put/certificate.pem", "x", 1, NULL, 0), 400);
	assert_int_equal(ask("/put/app-example.tar", "x", 1, NULL, 0), 400);
}

static void
upstream_down_is_502_with_a_line(void **state)
{
	static const char call[] =
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_chainId\"}";
	char out[300];

	(void)state;
	assert_int_equal(
	    ask("/rpc", call, sizeof(call) - 1, out, sizeof(out)), 502);
	assert_non_null(strstr(out, "chain RPC: http://127.0.0.1:1"));
}

static void
rpc_passes_eth_methods_alone(void **state)
{
	static const char *const bad[] = {
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"anvil_reset\"}",
		"{\"method\":\"eth_chainId\",\"method\":\"anvil_reset\"}",
		"[]", "", "{", "{\"method\":1}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
		    ask("/rpc", bad[i], strlen(bad[i]), NULL, 0), 400);
}

static void
malformed_messages_are_400(void **state)
{
	static const char *const paths[] = { "/bootstrap", "/register",
		"/sign", "/anchor" };
	static const char *const bad[] = { "", "{}", "[[[", "null", "\"x\"" };

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		for (size_t j = 0; j < 5; j++)
			assert_int_equal(ask(paths[i], bad[j], strlen(bad[j]),
			                     NULL, 0),
			    400);
	assert_int_equal(get("/onboarded/12"), 400);
	assert_int_equal(get("/collateral/xyz/platform"), 400);
	assert_int_equal(get("/collateral/00806f050000/other"), 400);
	assert_int_equal(get("/bootstrap-quote/-1"), 400);
	assert_int_equal(get("/bootstrap-quote/0"), 404);
}

static void
forms_that_are_none_are_400(void **state)
{
	static const char *const bad[] = { "epoch=0&epoch=1", "=1", "epoch=x",
		"epoch=", "a&b=c", "a=%0", "a=%zz", "a=%00", "sig=%ff",
		"collateral={", "suite=-1", "epoch=99999999999999999999",
		"a=1&b=1&c=1&d=1&e=1&f=1&g=1&h=1&i=1&j=1&k=1&l=1&m=1&n=1&o=1&"
		"p=1&q=1&r=1&s=1&t=1&u=1&v=1&w=1&x=1&y=1&z=1&A=1&B=1&C=1&D=1&"
		"E=1&F=1&G=1" };
	(void)state;
	char out[200];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(ask("/register", bad[i], strlen(bad[i]), out,
		                     sizeof(out)),
		    400);
		assert_memory_equal(out, "form: ", 6);
	}
	/* a form, and then what its members say is judged as in JSON */
	assert_int_equal(
	    ask("/register", "epoch=0&node=0x1", 16, out, sizeof(out)), 400);
	assert_memory_equal(out, "register: ", 10);
}

static void
node_and_collateral_are_told(void **state)
{
	char out[400];

	(void)state;
	assert_int_equal(ask("/node", NULL, 0, out, sizeof(out)), 200);
	assert_non_null(strstr(out, "0x1111111111111111"));
	assert_non_null(strstr(out, "\"index\":3"));
	assert_null(strstr(out, "owner"));
	assert_int_equal(ask("/collateral/00806f050000/platform", NULL, 0, out,
	                     sizeof(out)),
	    200);
	assert_non_null(strstr(out, "pck_crl_issuer_chain"));
}

/* A volume of another key: that key's word for this account goes along. */
static void
node_tells_the_key_of_its_volume(void **state)
{
	struct host_config other = cfg;
	struct router *r = NULL;
	struct route_answer a;
	struct msg_node m;
	struct why why = { "" };
	uint8_t digest[32];
	uint8_t who[20];

	(void)state;
	memset(other.node_key.b, 0x42, sizeof(other.node_key.b));
	assert_int_equal(
	    secp_address(&other.node_key, other.owner), DSTACK_OK);
	assert_int_equal(
	    router_new(&other, rpc, other.state, &r, NULL), DSTACK_OK);
	route_handle(r, "/node", NULL, 0, &a);
	assert_int_equal(a.status, 200);
	assert_int_equal(
	    msg_node_parse(a.body.buf, a.body.len, &m, &why), DSTACK_OK);
	assert_true(m.has_owner);
	assert_memory_equal(m.owner, other.owner, 20);
	volume_owner_digest(other.chain_id, other.contract, other.submitter,
	    other.owner, other.index, digest);
	assert_int_equal(secp_recover(digest, m.owner_sig, who), DSTACK_OK);
	assert_memory_equal(who, other.owner, 20);
	wr_free(&a.body);
	router_free(r);
}

static void
unknown_paths_are_404(void **state)
{
	(void)state;
	assert_int_equal(get("/"), 404);
	assert_int_equal(get("/getkey/x"), 404);
	assert_int_equal(get("rpc"), 404);
	assert_int_equal(get("/a/b/c/d/e"), 404);
}

/* ---- the link ---- */

static pid_t
serve(const char *path)
{
	int p[2];
	char c = 0;

	assert_int_equal(pipe(p), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		struct event_base *base = event_base_new();
		struct service *s = NULL;
		(void)signal(SIGPIPE, SIG_IGN);
		if (service_new(base, router, path, NULL, &s, NULL) !=
		    DSTACK_OK)
			_exit(1);
		(void)!write(p[1], &c, 1);
		(void)event_base_dispatch(base);
		_exit(0);
	}
	assert_int_equal(read(p[0], &c, 1), 1);
	(void)close(p[0]);
	(void)close(p[1]);
	return pid;
}

static int
dial(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	assert_int_equal(
	    connect(fd, (const struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

/* Read one answer frame; false: closed. */
static bool
answer(int fd, uint8_t *buf, size_t cap, struct link_frame *f)
{
	uint8_t head[LINK_HEAD];
	size_t rest = 0;

	if (recv(fd, head, sizeof(head), MSG_WAITALL) != (ssize_t)sizeof(head))
		return false;
	assert_int_equal(link_rest(head, &rest), DSTACK_OK);
	assert_true(rest <= cap);
	assert_int_equal(recv(fd, buf, rest, MSG_WAITALL), rest);
	assert_int_equal(link_decode(buf, rest, f), DSTACK_OK);
	return true;
}

static void
link_answers_pipelined_frames_and_survives_garbage(void **state)
{
	char path[100];
	static uint8_t buf[LINK_MAX_REST];
	struct link_frame f;
	bool seen[40] = { false };

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/link.sock", top);
	pid_t pid = serve(path);

	int bad = dial(path);
	assert_int_equal(send(bad, "\xff\xff\xff\xff....", 8, 0), 8);
	assert_false(answer(bad, buf, sizeof(buf), &f));
	(void)close(bad);

	int fd = dial(path);
	AUTO_WR struct wr w = wr_new(0);
	for (uint32_t i = 0; i < 40; i++)
		link_put_request(&w, i, "/file/netcfg/0/5", NULL, 0);
	/* in two pieces, cut inside a frame */
	assert_int_equal(send(fd, w.buf, 101, 0), 101);
	assert_int_equal(poll(NULL, 0, 20), 0);
	assert_int_equal(send(fd, w.buf + 101, w.len - 101, 0), w.len - 101);
	for (int i = 0; i < 40; i++) {
		assert_true(answer(fd, buf, sizeof(buf), &f));
		assert_true(f.answer && f.id < 40 && !seen[f.id]);
		seen[f.id] = true;
		assert_int_equal(f.status, 200);
		assert_memory_equal(f.body + 8, "hello", 5);
	}
	/* a guest that goes away with requests open harms nobody */
	assert_int_equal(send(fd, w.buf, w.len, 0), w.len);
	(void)close(fd);
	fd = dial(path);
	assert_int_equal(send(fd, w.buf, w.len / 40, 0), w.len / 40);
	assert_true(answer(fd, buf, sizeof(buf), &f));
	assert_int_equal(f.status, 200);
	(void)close(fd);
	int st = 0;
	assert_int_equal(waitpid(pid, &st, WNOHANG), 0);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, &st, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_gives_its_size_and_the_range_asked_for),
		cmocka_unit_test(what_is_no_regular_file_is_refused_at_once),
		cmocka_unit_test(names_outside_the_folder_are_refused),
		cmocka_unit_test(bad_numbers_are_refused),
		cmocka_unit_test(put_replaces_a_file_and_nothing_else),
		cmocka_unit_test(
		    what_the_host_feeds_the_guest_is_not_overwritten),
		cmocka_unit_test(upstream_down_is_502_with_a_line),
		cmocka_unit_test(rpc_passes_eth_methods_alone),
		cmocka_unit_test(malformed_messages_are_400),
		cmocka_unit_test(forms_that_are_none_are_400),
		cmocka_unit_test(node_and_collateral_are_told),
		cmocka_unit_test(node_tells_the_key_of_its_volume),
		cmocka_unit_test(unknown_paths_are_404),
		cmocka_unit_test(
		    link_answers_pipelined_frames_and_survives_garbage),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
