/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The greeting app as build_app.sh makes it, and as skopeo converts it, in a
 * real container; dstack-guest is played by this test. Needs what
 * test_container needs; the conversions need skopeo.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <jansson.h>

#include "base/own.h"
#include "base/wr.h"
#include "guest/kubernethes/container.h"
#include "guest/kubernethes/unpack.h"

#define GREETING "Welcome to Dstack with unstoppable TLS!"

static bool can;
static char dir[32] = "/tmp/test_greeting.XXXXXX";

static int
command(const char *a, const char *b, const char *c, const char *d,
    const char *e, const char *f)
{
	const char *const argv[] = { a, b, c, d, e, f, NULL };
	char *v[7];
	char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *const env[] = { path, NULL };
	pid_t pid;
	int status = 1;
	memcpy(v, argv, sizeof(v));
	if (posix_spawnp(&pid, a, NULL, NULL, v, env) != 0 ||
	    waitpid(pid, &status, 0) != pid)
		return 1;
	return status;
}

static int
prepare(void **state)
{
	char file[64];
	(void)state;
	if (geteuid() != 0 || access(CONTAINER_RUNTIME, X_OK) != 0 ||
	    access("build/bin/dstack", X_OK) != 0 || mkdtemp(dir) == NULL)
		return 0;
	snprintf(file, sizeof(file), "%s/app.tar", dir);
	if (command("./build_app.sh", "-o", file, NULL, NULL, NULL) != 0)
		return 0;
	if (unshare(CLONE_NEWNS | CLONE_NEWNET) != 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", "/run", "tmpfs", 0, "mode=755") != 0 ||
	    mkdir("/run/data", 0755) != 0 ||
	    mkdir("/run/data/app", 0755) != 0 ||
	    chown("/run/data/app", SPEC_ID_BASE, SPEC_ID_BASE) != 0)
		return 0;
	can = true;
	return 0;
}

static int
cleanup(void **state)
{
	(void)state;
	return command("rm", "-rf", dir, NULL, NULL, NULL) == 0 ? 0 : -1;
}

/* dstack-guest as far as the greeting asks: a process of its own. */
static pid_t
play_guest(int tcp)
{
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		char q[1024];
		char a[256];
		uint8_t body[65];
		int fd = accept(tcp, NULL, NULL);
		ssize_t n = recv(fd, q, sizeof(q) - 1, 0);
		q[n > 0 ? n : 0] = '\0';
		/* appdata of tag s: 0xaa..., its signature: 0xbb... */
		bool data = strncmp(q, "GET /appdata/s/57656c63", 23) == 0;
		bool sig = strncmp(q, "GET /attest/s/57656c63", 22) == 0;
		size_t len = data ? 32 : sig ? 65 : 0;
		memset(body, data ? 0xaa : 0xbb, sizeof(body));
		int h = snprintf(a, sizeof(a),
		    "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n",
		    len != 0 ? "200 OK" : "400 No", len);
		(void)!send(fd, a, (size_t)h, MSG_NOSIGNAL);
		(void)!send(fd, body, len, MSG_NOSIGNAL);
		close(fd);
	}
}

/* One exchange with the app at 10.88.0.2:80; the answer as text. */
static void
ask(const char *request, char *out, size_t cap)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(80) };
	to.sin_addr.s_addr = htonl(0x0a580002);
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
	    connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(
	    send(fd, request, strlen(request), 0), strlen(request));
	size_t len = 0;
	ssize_t n;
	while ((n = recv(fd, out + len, cap - 1 - len, 0)) > 0)
		len += (size_t)n;
	out[len] = '\0';
}

static void
start(struct container *c, const char *file)
{
	struct why why = { "" };
	AUTO_WR struct wr ar = wr_new(0);
	AUTO_OCI struct oci_image *img = NULL;
	char buf[65536];
	char path[96];
	ssize_t n;
	int tcp = -1;
	int local = -1;
	snprintf(path, sizeof(path), "%s/%s", dir, file);
	int fd = open(path, O_RDONLY);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		wr_put(&ar, buf, (size_t)n);
	close(fd);
	if (oci_open(ar.buf, ar.len, NULL, 64 << 20, &img, &why) != DSTACK_OK)
		fail_msg("%s: %s", file, why.text);
	container_init(c, 0);
	if (container_make(c, 64 << 20, &why) != DSTACK_OK)
		fail_msg("%s", why.text);
	AUTO_CLOSE int root = container_root(c);
	assert_int_equal(
	    unpack_image(img, root, SPEC_ID_BASE, NULL, NULL, NULL, &why), DSTACK_OK);
	assert_int_equal(container_listen(c, &tcp, &local, &why), DSTACK_OK);
	pid_t guest = play_guest(tcp);
	assert_true(guest > 0);
	close(tcp);
	close(local);
	int host = open("/run/dstack/app/0/host/list.me",
	    O_WRONLY | O_CREAT, 0644);
	close(host);
	if (container_start(c, oci_config(img), "/run/data", false, 1 << 28,
	        &why) !=
	    DSTACK_OK)
		fail_msg("%s", why.text);
	for (int i = 0; i < 200 && !container_answers(c, 100); i++)
		(void)usleep(20000);
}

static void
promise_01_and_06_greeting_is_signed_and_sees_both_folders(void **state)
{
	(void)state;
	struct container c;
	static char out[65536];
	char want[140];
	if (!can)
		skip();
	start(&c, "app.tar");
	ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n", out, sizeof(out));
	assert_non_null(strstr(out, "<h1>" GREETING "</h1>"));
	memset(want, 'b', 130);
	want[130] = '\0';
	assert_non_null(strstr(out, want));
	assert_non_null(strstr(out, "<li>list.me</li>"));
	ask("GET /status.json HTTP/1.1\r\n\r\n", out, sizeof(out));
	const char *body = strstr(out, "\r\n\r\n");
	assert_non_null(body);
	json_t *j = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(j);
	assert_string_equal(
	    json_string_value(json_object_get(j, "greeting")), GREETING);
	assert_string_equal(
	    json_string_value(json_object_get(j, "signature")), want);
	assert_int_equal(
	    json_string_length(json_object_get(j, "appdata")), 64);
	assert_string_equal(
	    json_string_value(json_object_get(j, "error")), "");
	assert_int_equal(
	    json_integer_value(json_object_get(j, "boots")), 1);
	json_decref(j);

	ask("PUT /data/note HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", out,
	    sizeof(out));
	assert_non_null(strstr(out, "HTTP/1.1 201"));
	container_stop(&c, 10000);
	container_drop(&c);

	/* Another container on the same volume finds it. */
	start(&c, "app.tar");
	ask("GET /data/note HTTP/1.1\r\n\r\n", out, sizeof(out));
	assert_non_null(strstr(out, "\r\n\r\nhello"));
	ask("GET /status.json HTTP/1.1\r\n\r\n", out, sizeof(out));
	assert_non_null(strstr(out, "\"boots\":2"));
	static const char *const bad[] = { "GET /data/../x HTTP/1.1\r\n\r\n",
		"GET /data/.note HTTP/1.1\r\n\r\n",
		"PUT /data/a/b HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
		"GET /data/ HTTP/1.1\r\n\r\n", "x\r\n\r\n",
		"PUT /data/x HTTP/1.1\r\nContent-Length: -1\r\n\r\n" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ask(bad[i], out, sizeof(out));
		assert_non_null(strstr(out, "HTTP/1.1 400"));
	}
	ask("PUT /data/x HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n", out,
	    sizeof(out));
	assert_non_null(strstr(out, "HTTP/1.1 413"));
	container_drop(&c);
}

static void
promise_05_archives_as_docker_podman_and_skopeo_write_them_run(void **state)
{
	(void)state;
	static char out[65536];
	static const char *const to[] = { "docker-archive", "oci-archive" };
	if (!can || access("/usr/bin/skopeo", X_OK) != 0)
		skip();
	for (int i = 0; i < 2; i++) {
		struct container c;
		char from_arg[96];
		char to_arg[96];
		snprintf(from_arg, sizeof(from_arg),
		    "docker-archive:%s/app.tar", dir);
		snprintf(to_arg, sizeof(to_arg), "%s:%s/%d.tar:a:b", to[i],
		    dir, i);
		assert_int_equal(command("skopeo", "--insecure-policy", "copy",
				     "-q", from_arg, to_arg), 0);
		snprintf(to_arg, sizeof(to_arg), "%d.tar", i);
		start(&c, to_arg);
		ask("GET / HTTP/1.1\r\n\r\n", out, sizeof(out));
		assert_non_null(strstr(out, "<h1>" GREETING "</h1>"));
		container_drop(&c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    promise_01_and_06_greeting_is_signed_and_sees_both_folders),
		cmocka_unit_test(
		    promise_05_archives_as_docker_podman_and_skopeo_write_them_run),
	};
	return cmocka_run_group_tests(tests, prepare, cleanup);
}
