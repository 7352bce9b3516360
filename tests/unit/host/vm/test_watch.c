/* SPDX-License-Identifier: Apache-2.0 */
/* What a QMP monitor says of a VM that stands still; see host/vm/watch.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/vm/watch.h"

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": [\"oob\"]}}\r\n"
#define NO_ROOM \
	"{\"timestamp\": {}, \"event\": \"BLOCK_IO_ERROR\", \"data\": " \
	"{\"device\": \"disk\", \"nospace\": true, \"operation\": \"write\", " \
	"\"action\": \"stop\", \"reason\": \"No space left on device\"}}\r\n"
#define STOP "{\"timestamp\": {}, \"event\": \"STOP\"}\r\n"
#define RESUME "{\"timestamp\": {}, \"event\": \"RESUME\"}\r\n"
#define STATE(run, s) \
	"{\"return\": {\"status\": \"" s "\", \"running\": " run "}}\r\n"

static struct vm_watch w;
static int qemu = -1;

static int
begin(void **state)
{
	int pair[2];

	(void)state;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return -1;
	vm_watch_begin(&w, pair[0]);
	qemu = pair[1];
	return 0;
}

static int
end(void **state)
{
	(void)state;
	vm_watch_end(&w);
	return close(qemu);
}

static void
say(const char *text)
{
	assert_int_equal(write(qemu, text, strlen(text)),
	    (ssize_t)strlen(text));
}

/* Was QEMU told this since it was last looked? */
static bool
told(const char *command)
{
	char buf[4096];
	ssize_t n = recv(qemu, buf, sizeof(buf) - 1, MSG_DONTWAIT);

	buf[n > 0 ? n : 0] = '\0';
	return strstr(buf, command) != NULL;
}

static void
a_full_disk_is_told_and_got_over(void **state)
{
	(void)state;
	say(GREETING);
	assert_false(vm_watch_step(&w, "/", 1000));
	assert_true(told("qmp_capabilities"));
	say("{\"return\": {}}\r\n" STATE("true", "running"));
	assert_false(vm_watch_step(&w, "/", 1100));
	say(NO_ROOM STOP);
	/* no room where the disk is (there is no such place) */
	(void)vm_watch_step(&w, "/nonexistent/disk", 2000);
	assert_true(told("query-status"));
	say(STATE("false", "io-error"));
	assert_true(vm_watch_step(&w, "/nonexistent/disk", 2100));
	assert_non_null(strstr(w.text, "host disk full"));
	assert_non_null(strstr(w.text, "/nonexistent/disk"));
	assert_non_null(strstr(w.text, "No space left on device"));
	assert_false(vm_watch_step(&w, "/nonexistent/disk", 3000));
	assert_false(told("cont"));
	/* nothing shows that there is room; it is tried all the same */
	assert_false(vm_watch_step(&w, "/nonexistent/disk", 13000));
	assert_true(told("cont"));
	say(RESUME NO_ROOM STOP STATE("false", "io-error"));
	assert_false(vm_watch_step(&w, "/nonexistent/disk", 13100));
	assert_non_null(strstr(w.text, "host disk full"));
	(void)told("");
	/* there is room */
	assert_false(vm_watch_step(&w, "/", 13200));
	assert_false(vm_watch_step(&w, "/", 13800));
	assert_true(told("cont"));
	say(RESUME);
	assert_false(vm_watch_step(&w, "/", 14000));
	/* it is told once it has lasted */
	assert_false(vm_watch_step(&w, "/", 15000));
	assert_true(vm_watch_step(&w, "/", 17000));
	assert_string_equal(w.text, "");
	assert_false(told("cont"));
}

static void
a_vm_that_someone_paused_is_left_alone(void **state)
{
	(void)state;
	say(GREETING STOP STATE("false", "paused"));
	assert_true(vm_watch_step(&w, "/", 1000));
	assert_non_null(strstr(w.text, "paused"));
	assert_false(vm_watch_step(&w, "/", 60000));
	assert_false(told("cont"));
}

static void
a_vm_that_stood_still_before_is_seen(void **state)
{
	(void)state;
	say(GREETING STATE("false", "io-error"));
	assert_true(vm_watch_step(&w, "/", 1000));
	assert_non_null(strstr(w.text, "host disk full"));
}

static void
what_is_no_monitor_does_no_harm(void **state)
{
	static char big[3 * VM_WATCH_LINE];
	static const char *const odd[] = { "\r\n", "null\r\n", "[1,2]\r\n",
		"{\"event\": 7}\r\n", "{\"event\": \"BLOCK_IO_ERROR\"}\r\n",
		"{\"return\": {\"running\": true}}\r\n", "{\"QMP\"\r\n",
		"{\"event\": \"RESUME\"}\r\n", "\xff\xfe\r\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		say(odd[i]);
		assert_false(vm_watch_step(&w, "/", 1000));
		assert_false(w.stopped);
	}
	/* a line that is too long is passed over whole */
	memset(big, ' ', sizeof(big));
	memcpy(big + sizeof(big) - 40, STOP, strlen(STOP));
	for (size_t at = 0; at < sizeof(big); at += 1024) {
		assert_int_equal(write(qemu, big + at, 1024), 1024);
		(void)vm_watch_step(&w, "/", 1000);
	}
	assert_false(w.stopped);
	say("\r\n" STOP);
	(void)vm_watch_step(&w, "/", 1000);
	assert_true(w.stopped);
	/* and one that hangs up */
	assert_int_equal(shutdown(qemu, SHUT_RDWR), 0);
	(void)vm_watch_step(&w, "/", 1000);
	assert_int_equal(w.fd, -1);
	assert_false(vm_watch_step(&w, "/", 99000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    a_full_disk_is_told_and_got_over, begin, end),
		cmocka_unit_test_setup_teardown(
		    a_vm_that_someone_paused_is_left_alone, begin, end),
		cmocka_unit_test_setup_teardown(
		    a_vm_that_stood_still_before_is_seen, begin, end),
		cmocka_unit_test_setup_teardown(
		    what_is_no_monitor_does_no_harm, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
