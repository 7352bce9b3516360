/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests of several containers: what is read, written, refused, applied. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "oci/manifest.h"
#include "tests/unit/lib/oci/plan.h"
#include "tests/unit/lib/oci/tarmake.h"

#define A64 \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define IMG "\"image\":\"sha256:" A64 "\""

/* Every member once. */
static const char full[] =
    "{\"front\":{\"port\":8080,\"service\":\"web\"},\"manifest\":1,"
    "\"services\":{"
    "\"db\":{\"command\":[\"-c\",\"x=1\"],\"environment\":{\"A\":\"1\","
    "\"B.c\":\"two\\nlines\"},\"expose\":[5432,5433],"
    "\"healthcheck\":{\"interval\":1000,\"retries\":3,"
    "\"start_interval\":10,\"start_period\":20,\"test\":[\"CMD\",\"ready\"],"
    "\"timeout\":30}," IMG ",\"mem_limit\":1048576,"
    "\"restart\":\"on-failure\",\"shm_size\":65536,\"stop_grace\":5000,"
    "\"stop_signal\":\"SIGINT\",\"tmpfs\":[\"/run\",\"/tmp\"],"
    "\"user\":\"postgres\",\"volumes\":[{\"path\":\"/var/lib/db\","
    "\"volume\":\"data\"}]},"
    "\"init\":{\"entrypoint\":[]," IMG ",\"restart\":\"no\"},"
    "\"web\":{\"depends_on\":{\"db\":\"healthy\",\"init\":\"completed\"},"
    IMG ",\"labels\":{\"dstack.port\":\"81\"},"
    "\"secrets\":[\"API_KEY\",\"b\"],\"volumes\":[{\"path\":\"/data\","
    "\"read_only\":true,\"volume\":\"data\"}],\"working_dir\":\"/srv\"}},"
    "\"volumes\":[\"data\"]}";

static enum dstack_status
parse(const char *text, struct manifest *m, struct why *why)
{
	return manifest_parse(text, strlen(text), m, why);
}

static void
every_member_is_read_and_written_back(void **state)
{
	AUTO_MANIFEST struct manifest m = { .nservices = 0 };
	AUTO_FREE char *text = NULL;
	struct why why;
	(void)state;
	if (parse(full, &m, &why) != DSTACK_OK)
		fail_msg("%s", why.text);
	assert_int_equal(m.nservices, 3);
	assert_string_equal(m.service[m.front].name, "web");
	assert_int_equal(m.front_port, 8080);
	const struct manifest_service *db = &m.service[0];
	const struct manifest_service *web = &m.service[2];
	assert_string_equal(db->environment.v[1], "B.c=two\nlines");
	assert_int_equal(db->expose[1], 5433);
	assert_int_equal(db->health.start_interval, 10);
	assert_int_equal(db->restart, MANIFEST_ON_FAILURE);
	assert_int_equal(db->mem_limit, 1u << 20);
	assert_int_equal(db->stop_grace, 5000);
	assert_false(db->mounts[0].read_only);
	assert_true(web->mounts[0].read_only);
	assert_true(m.service[1].entrypoint.there);
	assert_int_equal(m.service[1].restart, MANIFEST_NO);
	assert_int_equal(web->restart, MANIFEST_ALWAYS);
	assert_int_equal(web->needs[0].condition, MANIFEST_HEALTHY);
	assert_int_equal(web->needs[1].service, 1);
	assert_int_equal(web->needs[1].condition, MANIFEST_COMPLETED);
	assert_int_equal(m.order[2], 2); /* web comes last */
	assert_int_equal(manifest_write(&m, &text, &why), DSTACK_OK);
	assert_string_equal(text, full);
}

/* The text with the first `from` in it replaced. */
static char *
with(const char *from, const char *to)
{
	const char *at = strstr(full, from);
	char *out = NULL;
	if (at == NULL)
		fail_msg("the text has no %s", from);
	assert_true(asprintf(&out, "%.*s%s%s", (int)(at - full), full, to,
			at + strlen(from)) > 0);
	return out;
}

static void
refused(const char *text, enum dstack_status want, const char *word)
{
	struct manifest m;
	struct why why = { "" };
	memset(&m, 0x55, sizeof(m));
	enum dstack_status st = parse(text, &m, &why);
	if (st != want || strstr(why.text, word) == NULL)
		fail_msg("status %d, wanted %d and \"%s\": %s", st, want, word,
		    why.text);
	/* nothing comes out of a refusal */
	assert_int_equal(m.nservices, (size_t)0x5555555555555555);
}

static void
what_is_not_as_it_must_be_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *from, *to;
		enum dstack_status st;
		const char *word;
	} v[] = {
		{ "{\"front\"", "{ \"front\"", DSTACK_E_FORMAT, "canonical" },
		{ "\"port\":8080,\"service\":\"web\"",
		    "\"service\":\"web\",\"port\":8080", DSTACK_E_FORMAT,
		    "canonical" },
		{ "\"two\\n", "\"tw\\u006f\\n", DSTACK_E_FORMAT, "canonical" },
		{ "[5432,", "[54321e-1,", DSTACK_E_FORMAT, "canonical" },
		{ "\"A\":\"1\"", "\"A\":\"1\",\"A\":\"1\"", DSTACK_E_FORMAT,
		    "duplicate" },
		{ "\"manifest\":1", "\"manifest\":2", DSTACK_E_FORMAT,
		    "version 1" },
		{ "\"manifest\":1", "\"manifest\":1,\"more\":1",
		    DSTACK_E_FORMAT, "members other than" },
		{ "\"port\":8080", "\"port\":0", DSTACK_E_FORMAT,
		    "front: port is not a number from 1 to 65535" },
		{ "\"port\":8080", "\"port\":65536", DSTACK_E_FORMAT,
		    "front: port" },
		{ "\"port\":8080", "\"host\":1,\"port\":8080", DSTACK_E_FORMAT,
		    "front is not port and service" },
		{ "\"service\":\"web\"", "\"service\":\"www\"",
		    DSTACK_E_REJECTED, "front: there is no service www" },
		{ "\"command\":[", "\"cmd\":1,\"command\":[", DSTACK_E_FORMAT,
		    "service db: cmd is no member that is known" },
		{ "\"command\":[\"-c\"", "\"command\":[1", DSTACK_E_FORMAT,
		    "service db: command is not a list" },
		{ "\"A\":\"1\"", "\"A\":1", DSTACK_E_FORMAT,
		    "environment: A is no name with a text" },
		{ "\"A\":\"1\"", "\"A =\":\"1\"", DSTACK_E_FORMAT,
		    "environment: A = is no name" },
		{ "two\\n", "two\\u001B", DSTACK_E_FORMAT,
		    "environment: B.c" },
		{ "[5432,5433]", "[5433,5432]", DSTACK_E_FORMAT,
		    "expose is not sorted" },
		{ "[5432,5433]", "[5432,65536]", DSTACK_E_FORMAT, "expose" },
		{ "\"interval\":1000", "\"interval\":86400001",
		    DSTACK_E_FORMAT, "healthcheck: interval is not a number" },
		{ "\"retries\":3", "\"retries\":3,\"shell\":\"x\"",
		    DSTACK_E_FORMAT, "healthcheck: shell is no member" },
		{ "[\"CMD\",\"ready\"]", "[\"CMD\"]", DSTACK_E_FORMAT,
		    "healthcheck: test is not NONE" },
		{ "[\"CMD\",\"ready\"]", "[\"NONE\",\"x\"]", DSTACK_E_FORMAT,
		    "healthcheck: test" },
		{ "[\"CMD\",\"ready\"]", "[\"CMD-SHELL\",\"a\",\"b\"]",
		    DSTACK_E_FORMAT, "healthcheck: test" },
		{ "sha256:a", "sha256:A", DSTACK_E_FORMAT,
		    "image is not sha256:" },
		{ "sha256:a", "sha512:a", DSTACK_E_FORMAT, "image" },
		{ "\"on-failure\"", "\"unless-stopped\"", DSTACK_E_FORMAT,
		    "restart is not always" },
		{ "\"shm_size\":65536", "\"shm_size\":\"64k\"",
		    DSTACK_E_FORMAT, "shm_size is not a number" },
		{ "\"stop_grace\":5000", "\"stop_grace\":20001",
		    DSTACK_E_FORMAT, "stop_grace" },
		{ "\"/run\",\"/tmp\"", "\"/tmp\",\"/run\"", DSTACK_E_FORMAT,
		    "tmpfs is not sorted" },
		{ "\"/run\",\"/tmp\"", "\"run\"", DSTACK_E_FORMAT, "tmpfs" },
		{ "\"/run\",\"/tmp\"", "\"/a/../b\"", DSTACK_E_FORMAT,
		    "tmpfs" },
		{ "\"/run\",\"/tmp\"", "\"/proc/self\"", DSTACK_E_FORMAT,
		    "tmpfs" },
		{ "\"user\":\"postgres\"", "\"user\":\"\"", DSTACK_E_FORMAT,
		    "user is not a text" },
		{ "/var/lib/db", "/run/secrets/x", DSTACK_E_REJECTED,
		    "volumes: /run/secrets/x is no place for one" },
		{ "\"/var/lib/db\",\"volume\":\"data\"",
		    "\"/var/lib/db\",\"volume\":\"other\"", DSTACK_E_REJECTED,
		    "service db: volume other is not declared" },
		{ "\"/var/lib/db\",\"volume\":\"data\"",
		    "\"/var/lib/db\",\"volume\":\"a/b\"", DSTACK_E_FORMAT,
		    "volumes: a/b is no name" },
		{ "\"read_only\":true", "\"read_only\":false", DSTACK_E_FORMAT,
		    "volumes is not a list of path" },
		{ "\"volumes\":[\"data\"]}", "\"volumes\":[\"data\",\"e\"]}",
		    DSTACK_E_REJECTED, "volume e is used by no service" },
		{ "\"volumes\":[\"data\"]}", "\"volumes\":[\"data\",\"data\"]}",
		    DSTACK_E_FORMAT, "volumes is not sorted" },
		{ "\"init\":{\"entrypoint\":[]," IMG ",",
		    "\"init\":{\"entrypoint\":[],", DSTACK_E_FORMAT,
		    "service init: it has no image" },
		{ "\"init\":{", "\"Init\":{", DSTACK_E_FORMAT, "canonical" },
		{ "\"init\":{\"entrypoint\":[],",
		    "\"init\":{\"depends_on\":{\"web\":\"started\"},"
		    "\"entrypoint\":[],",
		    DSTACK_E_REJECTED, "depends_on goes in a circle" },
		{ "\"db\":\"healthy\"", "\"dc\":\"healthy\"",
		    DSTACK_E_REJECTED,
		    "service web: depends_on: there is no service dc" },
		{ "\"db\":\"healthy\"", "\"db\":\"well\"", DSTACK_E_FORMAT,
		    "service web: depends_on is not a map" },
		{ "dstack.port", "com.example", DSTACK_E_FORMAT,
		    "labels: com.example is no name" },
		{ "[\"API_KEY\",\"b\"]", "[\"../x\"]", DSTACK_E_FORMAT,
		    "secrets is not a list" },
		{ "\"working_dir\":\"/srv\"", "\"working_dir\":\"srv\"",
		    DSTACK_E_FORMAT, "working_dir is not an absolute path" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		AUTO_FREE char *text = with(v[i].from, v[i].to);
		refused(text, v[i].st, v[i].word);
	}
}

static void
a_service_with_a_capital_or_too_many_of_them_are_refused(void **state)
{
	AUTO_WR struct wr w = wr_new(0);
	(void)state;
	refused("{\"front\":{\"port\":1,\"service\":\"A\"},\"manifest\":1,"
		"\"services\":{\"A\":{" IMG "}}}",
	    DSTACK_E_FORMAT, "A is no name of a service");
	refused("{\"front\":{\"port\":1,\"service\":\"a\"},\"manifest\":1,"
		"\"services\":{}}",
	    DSTACK_E_LIMIT, "0 services, 1 to 8");
	wr_str(&w, "{\"front\":{\"port\":1,\"service\":\"a1\"},\"manifest\":1,"
		   "\"services\":{");
	for (int i = 1; i <= 9; i++)
		wr_fmt(&w, "%s\"a%d\":{" IMG "}", i > 1 ? "," : "", i);
	wr_str(&w, "}}");
	wr_u8(&w, 0);
	refused((const char *)w.buf, DSTACK_E_LIMIT, "9 services");
}

static void
a_text_cut_or_made_longer_or_changed_is_never_the_same_manifest(void **state)
{
	const size_t n = sizeof(full) - 1;
	(void)state;
	for (size_t i = 0; i < n; i++) {
		struct manifest m;
		assert_int_not_equal(manifest_parse(full, i, &m, NULL),
		    DSTACK_OK);
	}
	/* a flipped byte may be another good manifest, of its own bytes alone */
	for (size_t i = 0; i < n; i++) {
		AUTO_MANIFEST struct manifest m = { .nservices = 0 };
		AUTO_FREE char *again = NULL;
		AUTO_FREE char *text = strdup(full);
		text[i] ^= 1;
		if (manifest_parse(text, n, &m, NULL) != DSTACK_OK)
			continue;
		assert_int_equal(manifest_write(&m, &again, NULL), DSTACK_OK);
		assert_string_equal(again, text);
	}
	struct manifest m;
	AUTO_FREE char *more = with("\"volumes\":[\"data\"]}",
	    "\"volumes\":[\"data\"]}\n");
	assert_int_equal(parse(more, &m, NULL), DSTACK_E_FORMAT);
}

static void
writing_sorts_and_refuses_what_reading_would(void **state)
{
	char *env[] = { (char[]){ "Z=1" }, (char[]){ "A=2" } };
	char *secrets[] = { (char[]){ "b" }, (char[]){ "a" } };
	uint16_t ports[] = { 90, 80, 90 };
	struct manifest m = { .nservices = 1, .front_port = 80 };
	struct manifest_service *s = &m.service[0];
	AUTO_FREE char *text = NULL;
	struct why why;
	(void)state;
	s->name = (char[]){ "web" };
	memset(s->image, 0xaa, 32);
	s->environment = (struct manifest_texts){ env, 2, true };
	s->secrets = (struct manifest_texts){ secrets, 2, true };
	s->expose = ports;
	s->nexpose = 3;
	assert_int_equal(manifest_write(&m, &text, &why), DSTACK_OK);
	assert_string_equal(text,
	    "{\"front\":{\"port\":80,\"service\":\"web\"},\"manifest\":1,"
	    "\"services\":{\"web\":{\"environment\":{\"A\":\"2\",\"Z\":\"1\"},"
	    "\"expose\":[80,90]," IMG ",\"secrets\":[\"a\",\"b\"]}}}");
	s->working_dir = (char[]){ "here" };
	AUTO_FREE char *none = NULL;
	assert_int_equal(manifest_write(&m, &none, &why), DSTACK_E_FORMAT);
	assert_null(none);
	s->working_dir = (char[]){ "/\xff" };
	assert_int_equal(manifest_write(&m, &none, &why), DSTACK_E_FORMAT);
	s->working_dir = NULL;
	char *words[] = { (char[]){ "a" }, (char[]){ "\xff" } };
	s->command = (struct manifest_texts){ words, 2, true };
	assert_int_equal(manifest_write(&m, &none, &why), DSTACK_E_FORMAT);
	s->command = (struct manifest_texts){ .n = 0 };
	env[0] = (char[]){ "Z=\xff" };
	assert_int_equal(manifest_write(&m, &none, &why), DSTACK_E_FORMAT);
}

/* An image whose config is the text; w is its archive. */
static struct oci_image *
image(struct wr *w, const char *config)
{
	static const struct oci_file file = { .path = "x", .mode = 0644,
		.data = "x", .size = 1 };
	struct oci_config c;
	struct oci_image *img = NULL;
	uint8_t d[32];
	struct why why;
	assert_int_equal(
	    oci_config_parse(config, strlen(config), &c, &why), DSTACK_OK);
	assert_int_equal(oci_build(&file, 1, &c, NULL, w, d, &why), DSTACK_OK);
	oci_config_free(&c);
	assert_int_equal(
	    oci_open(w->buf, w->len, d, 1 << 20, &img, &why), DSTACK_OK);
	return img;
}

static void
expect_list(char *const *v, size_t n, const char *want)
{
	AUTO_WR struct wr w = wr_new(0);
	for (size_t i = 0; i < n; i++)
		wr_fmt(&w, "%s%s", i != 0 ? " " : "", v[i]);
	wr_u8(&w, 0);
	assert_string_equal((const char *)w.buf, want);
}

static void
the_manifest_goes_over_the_image(void **state)
{
	AUTO_WR struct wr w = wr_new(0);
	AUTO_MANIFEST struct manifest m = { .nservices = 0 };
	struct why why;
	(void)state;
	AUTO_OCI struct oci_image *img = image(&w,
	    "{\"Entrypoint\":[\"/e\"],\"Cmd\":[\"c\"],\"Env\":[\"A=image\","
	    "\"AB=image\"],\"User\":\"7\",\"WorkingDir\":\"/w\","
	    "\"Volumes\":{\"/own\":{}},\"ExposedPorts\":{\"9/tcp\":{}}}");
	assert_int_equal(parse(full, &m, &why), DSTACK_OK);
	assert_int_equal(manifest_apply(&m, 0, img, &why), DSTACK_E_REJECTED);
	for (unsigned i = 0; i < 3; i++)
		memcpy(m.service[i].image, oci_digest(img), 32);

	const struct oci_config *c = oci_config(img);
	assert_int_equal(manifest_apply(&m, 0, img, &why), DSTACK_OK);
	expect_list(c->entrypoint, c->nentrypoint, "/e");
	expect_list(c->cmd, c->ncmd, "-c x=1");
	expect_list(c->env, c->nenv, "AB=image A=1 B.c=two\nlines");
	expect_list(c->volumes, c->nvolumes, "/own /var/lib/db");
	assert_string_equal(c->user, "postgres");
	assert_string_equal(c->workdir, "/w");
	assert_string_equal(c->stopsignal, "SIGINT");

	/* from the image's own again, not from what the last one left */
	assert_int_equal(manifest_apply(&m, 1, img, &why), DSTACK_E_REJECTED);
	assert_non_null(strstr(why.text, "service init: neither it nor"));
	expect_list(c->entrypoint, c->nentrypoint, "");
	expect_list(c->cmd, c->ncmd, "");
	expect_list(c->env, c->nenv, "A=image AB=image");
	assert_string_equal(c->user, "7");

	assert_int_equal(manifest_apply(&m, 2, img, &why), DSTACK_OK);
	assert_int_equal(c->port, 8080);
	assert_string_equal(c->workdir, "/srv");
	expect_list(c->cmd, c->ncmd, "c");
}

int
main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(every_member_is_read_and_written_back),
		cmocka_unit_test(
		    what_is_not_as_it_must_be_is_refused_with_its_place),
		cmocka_unit_test(
		    a_service_with_a_capital_or_too_many_of_them_are_refused),
		cmocka_unit_test(
		    a_text_cut_or_made_longer_or_changed_is_never_the_same_manifest),
		cmocka_unit_test(writing_sorts_and_refuses_what_reading_would),
		cmocka_unit_test(the_manifest_goes_over_the_image),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
