/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Apps of several services, with the role and real containers; chain, host
 * and the other roles are this test's (kube_bed.h). Needs what test_container
 * needs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <time.h>

#define DRAIN_MS 600000
#define POLL_SERVING_MS 100
#define chain_app shown_app
#define clock_gettime shown_clock
static int shown_clock(clockid_t id, struct timespec *t);
#define kube_memory_free shown_memory
#include "guest/kubernethes/clock.c"
#include "guest/kubernethes/stage.c"
#include "guest/kubernethes/kubernethes.c"
#include "crypto/hash.h"
#undef kube_memory_free
#undef chain_app
#undef clock_gettime

#include "tests/unit/guest/kubernethes/kube_bed.h"

static char peer[64] = "/tmp/test_peer.XXXXXX";

static int
prepare_peer(void **state)
{
	char cc[] = "gcc", def[] = "-D_GNU_SOURCE", st[] = "-static",
	     o[] = "-o", w[] = "-w",
	     src[] = "tests/unit/guest/kubernethes/peer.c";
	char *const argv[] = { cc, def, st, w, o, peer, src, NULL };
	char path[] = "PATH=/usr/bin:/bin";
	char *const env[] = { path, NULL };
	pid_t pid;
	int rc = 1;
	int fd = mkstemp(peer);
	if (fd >= 0)
		close(fd);
	if (prepare(state) != 0)
		return -1;
	if (can && (posix_spawn(&pid, "/usr/bin/gcc", NULL, NULL, argv, env) != 0 ||
		waitpid(pid, &rc, 0) != pid || rc != 0))
		can = false;
	return 0;
}

static int
finish(void **state)
{
	(void)state;
	(void)unlink(peer);
	(void)unlink(battery);
	return 0;
}

static enum dstack_status
take_piece(void *ctx, const void *p, size_t n, struct why *why)
{
	(void)why;
	wr_put(ctx, p, n);
	return wr_status((struct wr *)ctx);
}

/* One image of the peer, which every service of the manifest runs. */
static void
publish_services(uint64_t version, const char *manifest)
{
	AUTO_WR struct wr prog = wr_new(0);
	AUTO_WR struct wr one = wr_new(0);
	AUTO_OCI struct oci_image *img = NULL;
	struct oci_image *all[MANIFEST_SERVICES];
	struct oci_config none;
	struct why why;
	uint8_t digest[32];
	char hex[65];
	char buf[65536];
	ssize_t n;
	int fd = open(peer, O_RDONLY);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		wr_put(&prog, buf, (size_t)n);
	close(fd);
	const struct oci_file files[] = {
		{ .path = "data", .kind = OCI_DIR, .mode = 0755 },
		{ .path = "peer", .kind = OCI_FILE, .mode = 0755,
		    .data = prog.buf, .size = prog.len },
	};
	static const char config[] = "{\"Entrypoint\":[\"/peer\"]}";
	assert_int_equal(
	    oci_config_parse(config, strlen(config), &none, &why), DSTACK_OK);
	assert_int_equal(
	    oci_build(files, 2, &none, NULL, &one, digest, &why), DSTACK_OK);
	oci_config_free(&none);
	assert_int_equal(
	    oci_open(one.buf, one.len, digest, 16 << 20, &img, &why),
	    DSTACK_OK);
	for (size_t i = 0; i < MANIFEST_SERVICES; i++)
		all[i] = img;
	hex_encode(digest, 32, hex);
	AUTO_FREE char *text = strdup(manifest);
	for (char *at; (at = strchr(text, '#')) != NULL;) {
		char *next = NULL;
		assert_true(asprintf(&next, "%.*s\"sha256:%s\"%s",
				(int)(at - text), text, hex, at + 1) > 0);
		free(text);
		text = next;
	}
	wr_free(&archive);
	archive = wr_new(0);
	if (bundle_build(text, all, take_piece, &archive, shown->app.digest,
		&why) != DSTACK_OK)
		fail_msg("%s", why.text);
	snprintf(shown->app.name, sizeof(shown->app.name), "several");
	shown->app.app_id[31] = 1;
	shown->app.version = version;
	shown->st = DSTACK_OK;
	events[0] = '\0';
}

static bool
asked(unsigned place, char what, const char *want)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(80) };
	struct timeval t = { 5, 0 };
	char text[64] = "";
	to.sin_addr.s_addr = htonl(0x0a580002u | place << 8);
	AUTO_CLOSE int s = socket(AF_INET, SOCK_STREAM, 0);
	(void)setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	(void)setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
	if (connect(s, (struct sockaddr *)&to, sizeof(to)) != 0 ||
	    write(s, &what, 1) != 1)
		return false;
	ssize_t n = read(s, text, sizeof(text) - 1);
	return n > 0 && strcmp(text, want) == 0;
}

/* Play the others for a moment, until the front says so. */
static void
until_asked(unsigned place, const char *want)
{
	int64_t end = kube_now() + 60000;
	while (!asked(place, 'x', want)) {
		if (kube_now() > end)
			fail_msg("never \"%s\": %s", want, events);
		played(200);
	}
}

/* What the services have written, in order. */
static void
expect_log(const char *want)
{
	char path[200];
	char text[1024] = "";
	uint8_t d[32];
	char hex[65];
	sha256("/named/shared", 13, d);
	hex_encode(d, 32, hex);
	snprintf(path, sizeof(path), PATH_VOLUME "/volumes/%s/log", hex);
	AUTO_CLOSE int fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) >= 0);
	assert_int_equal(unlink(path), 0);
	assert_string_equal(text, want);
}

#define SHARED "{\"path\":\"/shared\",\"volume\":\"shared\"}"
#define DB \
	"\"db\":{\"command\":[\"db\"],\"image\":#,\"volumes\":[" \
	"{\"path\":\"/data\",\"volume\":\"data\"}," SHARED "]}"
#define WEB \
	"\"web\":{\"command\":[\"front\",\"db\"],\"depends_on\":{\"db\":" \
	"\"started\",\"job\":\"completed\"},\"image\":#,\"volumes\":[" SHARED \
	"]}"
#define JOB(code) \
	"\"job\":{\"command\":[\"once\",\"" code "\"],\"depends_on\":{\"db\":" \
	"\"started\"},\"image\":#,\"restart\":\"no\",\"volumes\":[" SHARED "]}"
#define DB_STORED \
	"\"db\":{\"command\":[\"db\"],\"image\":#,\"labels\":{" \
	"\"dstack.store\":\"volume\"},\"volumes\":[" \
	"{\"path\":\"/data\",\"volume\":\"data\"}," SHARED "]}"
#define DB_OUT \
	"\"db\":{\"command\":[\"db\"],\"image\":#,\"labels\":{" \
	"\"dstack.egress\":\"open\"},\"volumes\":[" \
	"{\"path\":\"/data\",\"volume\":\"data\"}]}"
#define APP(job) APP_OF(DB, job)
#define APP_OF(db, job) \
	"{\"front\":{\"port\":80,\"service\":\"web\"},\"manifest\":1," \
	"\"services\":{" db "," job "," WEB "},\"volumes\":[\"data\"," \
	"\"shared\"]}"

static void
services_start_in_order_and_find_each_other_by_name(void **state)
{
	(void)state;
	if (!can)
		skip();
	assert_int_equal(mount("tmpfs", PATH_VOLUME, "tmpfs", 0, NULL), 0);
	publish_services(1, APP(JOB("0")));
	begin_role();
	until("[serving several version 1]");
	before("[listen web]", "[backend 10.0:80]");
	before("[listen db]", "[backend 10.0:80]");
	before("[listen job]", "[backend 10.0:80]");
	/* and each is told to whoever asks for status */
	assert_int_equal(life.services, 3);
	assert_int_equal(life.services_of, 1);
	assert_string_equal(life.service[0].name, "db");
	assert_true(life.service[0].up && !life.service[0].over);
	assert_string_equal(life.service[1].name, "job");
	assert_true(!life.service[1].up && life.service[1].over);
	assert_true(life.service[1].end.any && life.service[1].end.code == 0);
	assert_string_equal(life.service[2].name, "web");
	assert_true(life.service[2].up);
	/* by the front, over the name, from a port that both have */
	assert_true(asked(0, 'x', "front: db 1"));
	/* another's volume is not the front's, and neither is its plane */
	expect_log("db starts\nonce starts\nonce ends\nfront starts\n"
		   "front data 0 plane 0\n");
}

static void
a_service_that_ends_starts_again_beside_the_others(void **state)
{
	(void)state;
	if (!can)
		skip();
	(void)asked(0, 'd', "");
	until_asked(0, "front: db 2");
	while (life.service[0].restarts == 0)
		play();
	assert_int_equal(life.service[0].restarts, 1);
	assert_int_equal(life.service[0].end.code, 1);
	assert_int_equal(life.service[2].restarts, 0);
	assert_false(life.service[2].end.any);
	/* only that one: the front and the job, which is done, did not */
	expect_log("db starts\n");
}

static void
a_need_that_is_not_met_is_refused_by_name(void **state)
{
	(void)state;
	if (!can)
		skip();
	publish_services(2, APP(JOB("3")));
	until("[refused, old one serves: several version 2]");
	assert_non_null(strstr(life.refused.why,
	    "service web needs job, which ended (exit 3)"));
	/* the volumes are one version's at a time: the old one is back */
	until_asked(0, "front: db 4");
	/* each before what it needs; then the new one's, and the old one's, of
	   which the job has done its work */
	expect_log("front stops\ndb stops\ndb starts\nonce starts\nonce ends\n"
		   "db starts\nfront starts\nfront data 0 plane 0\n");
}

static void
one_image_takes_the_slot_of_several(void **state)
{
	(void)state;
	if (!can)
		skip();
	publish(3, "three", true);
	until("[serving battery version 3]");
	expect_log("front stops\ndb stops\n");
	assert_true(answers_at(1));
	/* the old version drains till its time is over; then all of it goes */
	shown->ahead += 700;
	until("[gone 0]");
	before("[gone 2]", "[gone 0]");
	before("[gone 4]", "[gone 0]");
	assert_false(answers_at(0));
	/* and back into the other slot, where its volume has waited */
	publish_services(4, APP(JOB("0")));
	until("[serving several version 4]");
	assert_true(asked(0, 'x', "front: db 5"));
	expect_log("db starts\nonce starts\nonce ends\nfront starts\n"
		   "front data 0 plane 0\n");
}

/* Its tree is on the volume (dstack.store), the others' are in memory. */
static void
a_service_can_have_its_tree_on_the_volume(void **state)
{
	static const char peer_there[] = PATH_VOLUME "/system/trees/3/peer";
	(void)state;
	if (!can)
		skip();
	publish_services(5, APP_OF(DB_STORED, JOB("0")));
	until("[serving several version 5]");
	assert_true(asked(1, 'x', "front: db 6"));
	expect_log("front stops\ndb stops\ndb starts\nonce starts\nonce ends\n"
		   "front starts\nfront data 0 plane 0\n");
	assert_int_equal(access(peer_there, X_OK), 0);
	assert_int_equal(
	    access(PATH_VOLUME "/system/trees/1/peer", F_OK), -1);
	assert_int_equal(
	    access(PATH_VOLUME "/system/trees/5/peer", F_OK), -1);
}

static void
a_way_out_for_a_service_is_refused_where_the_node_gives_none(void **state)
{
	(void)state;
	if (!can)
		skip();
	publish_services(6, APP_OF(DB_OUT, JOB("0")));
	until("[refused, old one serves: several version 6]");
	assert_non_null(strstr(life.refused.why,
	    "its label dstack.egress=open asks for a way out, which this node "
	    "does not give"));
	assert_true(asked(1, 'x', "front: db 6"));
	/* the one before that made room for it */
	before("[gone 2]", "[gone 0]");
}

static void
the_end_of_the_role_stops_them_in_order(void **state)
{
	int status_ = 1;
	(void)state;
	if (!can)
		skip();
	assert_true(role_pid > 1);
	events[0] = '\0';
	assert_int_equal(kill(role_pid, SIGTERM), 0);
	/* its last word, after all of them are gone */
	until("[the node is to stop]");
	before("[gone 3]", "[gone 1]");
	assert_int_equal(access(PATH_VOLUME "/system/trees/3", F_OK), -1);
	assert_int_equal(waitpid(role_pid, &status_, 0), role_pid);
	assert_int_equal(status_, 0);
	expect_log("front stops\ndb stops\n");
}

int
main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(
		    services_start_in_order_and_find_each_other_by_name),
		cmocka_unit_test(
		    a_service_that_ends_starts_again_beside_the_others),
		cmocka_unit_test(a_need_that_is_not_met_is_refused_by_name),
		cmocka_unit_test(one_image_takes_the_slot_of_several),
		cmocka_unit_test(a_service_can_have_its_tree_on_the_volume),
		cmocka_unit_test(
		    a_way_out_for_a_service_is_refused_where_the_node_gives_none),
		cmocka_unit_test(the_end_of_the_role_stops_them_in_order),
	};
	return cmocka_run_group_tests(t, prepare_peer, finish);
}
