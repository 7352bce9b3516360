/* SPDX-License-Identifier: Apache-2.0 */
/* The host's folder, and a host or an app that would hold up the role by it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "base/wr.h"
#include "guest/base/ipc.h"
#include "guest/base/link.h"
#include "guest/kubernethes/kubernethes.h"

static void
names_of_the_system_are_not_the_apps(void **state)
{
	(void)state;
	assert_true(kube_shared_name("a.txt"));
	assert_true(kube_shared_name("app-notes.txt"));
	static const char *const bad[] = { "", ".", "..", ".x", "a/b", "netcfg",
		"certificate.pem", "request.csr", "encrypted_container.img",
		"tls-attestation.json", "secret-DB", "secret-",
		"app-example.tar", "app-0123456789abcdef.tar", "a b" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(kube_shared_name(bad[i]));
}

static void
an_app_that_writes_without_end_does_not_hold_the_role(void **state)
{
	(void)state;
	char path[] = "/tmp/test_shared.XXXXXX";
	assert_non_null(mkdtemp(path));
	AUTO_CLOSE int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int watch = kube_shared_watch(path);
	assert_true(dir >= 0 && watch >= 0);
	for (int i = 0; i < 400; i++) { /* names that are never copied */
		int fd = openat(dir, i % 2 ? ".a" : ".b", O_WRONLY | O_CREAT,
		    0600);
		close(fd);
	}
	int calls = 0;
	while (kube_shared_events(watch, dir, -1, INT64_MAX))
		calls++;
	assert_true(calls >= 10);
	unlinkat(dir, ".a", 0);
	unlinkat(dir, ".b", 0);
	rmdir(path);
}

static bool
ignore(void *ctx)
{
	(void)ctx;
	return true;
}

/*
 * A host that takes its time for every answer, to keep an old version
 * running: a byte of a file at a time, and a list of many files.
 */
static pid_t
slow_host(int *end)
{
	int pair[2];
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	pid_t host = fork();
	if (host == 0) {
		struct ipc_request q;
		bool eof = false;
		(void)close(pair[0]);
		while (ipc_receive(pair[1], &q, &eof) == DSTACK_OK && !eof) {
			AUTO_WR struct wr out = wr_new(0);
			AUTO_WR struct wr body = wr_new(0);
			char path[LINK_MAX_PATH + 1] = "";
			(void)!rd_text(&q.body, path, sizeof(path));
			ipc_request_free(&q);
			if (strcmp(path, "/files") == 0) {
				for (int i = 0; i < 200; i++)
					wr_fmt(&body, "1000 file%d\n", i);
			} else if (strncmp(path, "/file/", 6) == 0) {
				wr_u64be(&body, strstr(path, "/file/file") ==
					path ? 1000 : 1 << 20);
				wr_u8(&body, 0);
			}
			wr_u16be(&out, 200);
			wr_blob(&out, body.buf != NULL ? body.buf
				: (const uint8_t *)"", body.len);
			(void)usleep(1000);
			(void)!ipc_answer(pair[1], &out);
		}
		_exit(0);
	}
	(void)close(pair[1]);
	*end = pair[0];
	return host;
}

static void
a_host_that_is_slow_on_purpose_does_not_hold_the_role(void **state)
{
	(void)state;
	static const uint8_t digest[32];
	struct kube_archive got = { 0 };
	struct why why = { "" };
	int end;
	pid_t host = slow_host(&end);
	int64_t start = kube_now();
	const struct kube_memory m = { .spare = 2 << 20 };
	assert_int_equal(kube_fetch(end, digest, &m, start + 200,
			     ignore, NULL, &got, &why),
	    DSTACK_E_MISSING);
	assert_true(kube_now() - start < 10000);
	(void)close(end);
	(void)waitpid(host, NULL, 0);
}

/* Memory has no room, and the volume is not open yet: that is no refusal. */
static void
what_memory_has_no_room_for_waits_for_the_volume(void **state)
{
	(void)state;
	static const uint8_t digest[32];
	struct kube_archive got = { 0 };
	struct why why = { "" };
	int end;
	pid_t host = slow_host(&end);
	const struct kube_memory m = { .spare = 1000 };
	assert_int_equal(kube_fetch(end, digest, &m, kube_now() + 10000,
			     ignore, NULL, &got, &why),
	    DSTACK_E_BUSY);
	assert_non_null(strstr(why.text, "waiting for the encrypted volume"));
	(void)close(end);
	(void)waitpid(host, NULL, 0);
}

static void
nor_with_the_files_that_it_shares_with_the_app(void **state)
{
	(void)state;
	char path[] = "/tmp/test_shared.XXXXXX";
	char name[16];
	int end;
	assert_non_null(mkdtemp(path));
	AUTO_CLOSE int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pid_t host = slow_host(&end);
	int64_t start = kube_now(); /* 200 files of 1000 answers each */
	kube_shared_fill(end, dir, start + 200);
	assert_true(kube_now() - start < 10000);
	AUTO_CLOSE int watch = kube_shared_watch(path);
	assert_true(dir >= 0 && watch >= 0);
	for (int i = 0; i < 10; i++) {
		(void)snprintf(name, sizeof(name), "out%d", i);
		int fd = openat(dir, name, O_WRONLY | O_CREAT, 0600);
		assert_true(fd >= 0);
		close(fd);
	}
	(void)close(end); /* a copy out would be told as a failed one */
	(void)waitpid(host, NULL, 0);
	assert_true(kube_shared_events(watch, dir, -1, kube_now()));
	assert_false(kube_shared_events(watch, dir, -1, kube_now()));
	for (int i = 0; i < 10; i++) {
		(void)snprintf(name, sizeof(name), "out%d", i);
		(void)unlinkat(dir, name, 0);
	}
	for (int i = 0; i < 200; i++) {
		(void)snprintf(name, sizeof(name), "file%d", i);
		(void)unlinkat(dir, name, 0);
	}
	(void)rmdir(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_the_system_are_not_the_apps),
		cmocka_unit_test(
		    a_host_that_is_slow_on_purpose_does_not_hold_the_role),
		cmocka_unit_test(
		    what_memory_has_no_room_for_waits_for_the_volume),
		cmocka_unit_test(nor_with_the_files_that_it_shares_with_the_app),
		cmocka_unit_test(
		    an_app_that_writes_without_end_does_not_hold_the_role),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
