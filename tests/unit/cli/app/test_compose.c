/* SPDX-License-Identifier: Apache-2.0 */
/* Compose files: what becomes of each member, and every refusal's line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/app/compose.h"

static enum dstack_status
env_file(void *ctx, const char *path, void **text, size_t *n, struct why *why)
{
	static const char good[] = "# comment\n\nFROM_FILE=1\nA='$x # \"y'\r\n"
				   "  B=plain words  \nE=\n";
	(void)ctx;
	const char *t = strcmp(path, "good.env") == 0 ? good
	    : strcmp(path, "dollar.env") == 0	      ? "OK=1\nB=$HOME\n"
	    : strcmp(path, "none.env") == 0	      ? "A=1\nnothing\n"
						      : NULL;
	if (t == NULL)
		return why_set(why, DSTACK_E_SYS, "%s: not there", path);
	*text = strdup(t);
	*n = strlen(t);
	return DSTACK_OK;
}

static char *const vars[] = { (char[]){ "TAG=1.2" }, (char[]){ "EMPTY=" } };

static enum dstack_status
parse(const char *text, struct compose *c, struct why *why)
{
	return compose_parse(
	    "c.yaml", text, strlen(text), vars, 2, env_file, NULL, c, why);
}

static const char full[] =
    "version: '3'\n"
    "x-common: &env\n"
    "  SHARED: yes\n"
    "services:\n"
    "  web:\n"
    "    image: ./web-${TAG}.tar\n"
    "    command: run --name 'a b' \"c \\\" d\" e\\ f\n"
    "    entrypoint: [\"/e\", \"$${HOME}\"]\n"
    "    environment: *env\n"
    "    ports: [\"127.0.0.1:8080:80/tcp\"]\n"
    "    depends_on:\n"
    "      db: {condition: service_healthy}\n"
    "      job: {condition: service_completed_successfully}\n"
    "    secrets: [api_key]\n"
    "    labels:\n"
    "      dstack.front: 80\n"
    "      dstack.port: '81'\n"
    "    x-mine: {a: [b]}\n"
    "  db:\n"
    "    image: db.tar\n"
    "    environment:\n"
    "      - A=over\n"
    "      - URL=http://x?a=b\n"
    "    env_file: good.env\n"
    "    user: ${USER_NAME-postgres}\n"
    "    working_dir: /srv/${EMPTY:-w}\n"
    "    volumes:\n"
    "      - data:/var/lib/db\n"
    "      - {type: volume, source: data, target: /ro, read_only: true}\n"
    "      - {type: tmpfs, target: /scratch}\n"
    "    tmpfs: /run\n"
    "    healthcheck:\n"
    "      test: pg_isready -q\n"
    "      interval: 1m30s\n"
    "      timeout: 500ms\n"
    "      retries: 4\n"
    "    restart: unless-stopped\n"
    "    stop_signal: SIGINT\n"
    "    stop_grace_period: 15s\n"
    "    expose: [5432, \"5433/tcp\"]\n"
    "    shm_size: 128mb\n"
    "    mem_limit: 1G\n"
    "    platform: linux/amd64\n"
    "  job:\n"
    "    image: job.tar\n"
    "    restart: \"no\"\n"
    "    depends_on: [db]\n"
    "    healthcheck: {disable: true}\n"
    "volumes:\n"
    "  data:\n"
    "  spare: {}\n"
    "secrets:\n"
    "  api_key: {external: true}\n";

static void
a_file_with_everything_becomes_its_manifest(void **state)
{
	AUTO_COMPOSE struct compose c;
	AUTO_FREE char *text = NULL;
	struct why why;
	(void)state;
	memset(&c, 0, sizeof(c));
	if (parse(full, &c, &why) != DSTACK_OK)
		fail_msg("%s", why.text);
	assert_string_equal(c.image[0], "db.tar");
	assert_string_equal(c.image[2], "./web-1.2.tar");
	assert_int_equal(c.line[2], 6);
	for (int i = 0; i < 3; i++)
		memset(c.m.service[i].image, i, 32);
	if (manifest_write(&c.m, &text, &why) != DSTACK_OK)
		fail_msg("%s", why.text);
#define Z "0000000000000000000000000000000000000000000000000000000000000000"
	assert_string_equal(text,
	    "{\"front\":{\"port\":80,\"service\":\"web\"},\"manifest\":1,"
	    "\"services\":{\"db\":{\"environment\":{\"A\":\"over\","
	    "\"B\":\"plain words\",\"E\":\"\",\"FROM_FILE\":\"1\","
	    "\"URL\":\"http://x?a=b\"},\"expose\":[5432,5433],"
	    "\"healthcheck\":{\"interval\":90000,\"retries\":4,"
	    "\"test\":[\"CMD-SHELL\",\"pg_isready -q\"],\"timeout\":500},"
	    "\"image\":\"sha256:" Z "\",\"mem_limit\":1073741824,"
	    "\"shm_size\":134217728,\"stop_grace\":15000,"
	    "\"stop_signal\":\"SIGINT\",\"tmpfs\":[\"/run\",\"/scratch\"],"
	    "\"user\":\"postgres\",\"volumes\":[{\"path\":\"/ro\","
	    "\"read_only\":true,\"volume\":\"data\"},"
	    "{\"path\":\"/var/lib/db\",\"volume\":\"data\"}],"
	    "\"working_dir\":\"/srv/w\"},"
	    "\"job\":{\"depends_on\":{\"db\":\"started\"},"
	    "\"healthcheck\":{\"test\":[\"NONE\"]},\"image\":\"sha256:"
	    "0101010101010101010101010101010101010101010101010101010101010101"
	    "\",\"restart\":\"no\"},"
	    "\"web\":{\"command\":[\"run\",\"--name\",\"a b\",\"c \\\" d\","
	    "\"e f\"],\"depends_on\":{\"db\":\"healthy\",\"job\":"
	    "\"completed\"},\"entrypoint\":[\"/e\",\"${HOME}\"],"
	    "\"environment\":{\"SHARED\":\"yes\"},\"image\":\"sha256:"
	    "0202020202020202020202020202020202020202020202020202020202020202"
	    "\",\"labels\":{\"dstack.port\":\"81\"},"
	    "\"secrets\":[\"api_key\"]}},\"volumes\":[\"data\"]}");
}

/* Service web, lines from 3 on; its front is there. */
#define WEB(members) \
	"services:\n  web:\n" members "    labels: [dstack.front=80]\n"

static void
what_is_not_supported_is_refused_with_its_line(void **state)
{
	static const struct {
		const char *text, *word;
	} v[] = {
		{ "", "c.yaml:1: it is empty" },
		{ "a: [", "c.yaml:" },
		{ "services:\n  a: 1\n---\nb: 1\n", "c.yaml:3: a second" },
		{ "services:\n  a: 1\n  a: 2\n", "c.yaml:2: a is here twice" },
		{ "services:\n  a:\n    <<: {image: x}\n",
		    "c.yaml:3: merges (<<)" },
		{ "services: !mine {}\n", "c.yaml:1: tag !mine" },
		{ "[a]: b\n", "c.yaml:1: a key that is no text" },
		{ "volumes: {}\n", "c.yaml:1: it has no services" },
		{ "services: []\n", "c.yaml:1: services is no map" },
		{ "services:\n  Web: {}\n", "c.yaml:2: service Web: a name" },
		{ "services: {a: , b: , c: , d: , e: , f: , g: , h: , i: }",
		    "c.yaml:1: 9 services" },
		{ "services:\n  web:\n", "service web is no map" },
		{ WEB("") "networks: {}\n", "c.yaml:4: networks is not "
					    "supported: services of an app" },
		{ WEB("") "configs: {}\n", "c.yaml:4: configs is not" },
		{ WEB("    build: .\n"), "c.yaml:3: service web: build is not "
					 "supported: build the image first" },
		{ WEB("    frobnicate: 1\n"), "c.yaml:3: service web: "
					      "frobnicate is not supported" },
		{ WEB("    image: a-$MISSING\n"),
		    "c.yaml:3: MISSING has no value here: give it with --env" },
		{ WEB("    image: a-${MISSING\n"), "c.yaml:3: '${MISSING' is "
						   "no variable" },
		{ WEB("    image: ${A-${B}}\n"), "c.yaml:3: '${A-${B}}' is no" },
		{ WEB("    image: a-$\n"), "c.yaml:3: '$' is no variable" },
		{ WEB("    image:\n"), "c.yaml:3: image is no text" },
		{ WEB("    command: 'a \"b'\n"), "c.yaml:3: command: a quote" },
		{ WEB("    environment: [HOME]\n"),
		    "c.yaml:3: environment: HOME has no value" },
		{ WEB("    environment:\n      HOME:\n"),
		    "environment: HOME has no value" },
		{ WEB("    environment: x\n"), "c.yaml:3: environment is "
					       "neither" },
		{ WEB("    env_file: dollar.env\n"), "dollar.env:2: a quote" },
		{ WEB("    env_file: none.env\n"), "none.env:2: no NAME" },
		{ WEB("    volumes: [\"./x:/y\"]\n"),
		    "c.yaml:3: volumes: './x' is no name of a volume" },
		{ WEB("    volumes: [/y]\n"), "c.yaml:3: volumes: '/y' has no "
					      "name" },
		{ WEB("    volumes: [\"d:/y:z\"]\n"), "c.yaml:3: volumes: 'z' "
						      "is not supported" },
		{ WEB("    volumes: [\"d:/y\", \"e:/y\"]\n"),
		    "c.yaml:3: volumes: /y is there twice" },
		{ WEB("    volumes:\n      - {type: bind, source: a, "
		      "target: /b}\n"),
		    "c.yaml:4: volumes: a bind here is not" },
		{ WEB("    volumes:\n      - {type: volume, bind: x}\n"),
		    "c.yaml:4: volumes: bind is not supported" },
		{ WEB("    volumes: [\"d:/y\"]\n"), "volume d is not declared" },
		{ WEB("") "volumes:\n  d: {driver: nfs}\n",
		    "c.yaml:5: volumes: driver is not supported" },
		{ WEB("") "secrets:\n  s: {file: ./s}\n",
		    "c.yaml:5: secrets: file is not supported: a value in an" },
		{ WEB("    secrets: [s]\n"), "c.yaml:3: secrets: s is not "
					     "declared" },
		{ WEB("    tmpfs: /run:size=1m\n"), "c.yaml:3: tmpfs: options" },
		{ WEB("    depends_on: [db]\n"),
		    "c.yaml:3: depends_on: there is no service db" },
		{ WEB("    depends_on: {web: {condition: ready}}\n"),
		    "c.yaml:3: depends_on: 'ready' is no condition" },
		{ WEB("    depends_on: {web: {condition: service_started, "
		      "restart: true}}\n"),
		    "c.yaml:3: depends_on: of web a condition" },
		{ WEB("    healthcheck: {interval: 1s}\n"),
		    "c.yaml:3: healthcheck: it has no test" },
		{ WEB("    healthcheck: {test: x, interval: 10}\n"),
		    "c.yaml:3: healthcheck: '10' is no time" },
		{ WEB("    healthcheck: {test: x, retries: many}\n"),
		    "c.yaml:3: healthcheck: retries" },
		{ WEB("    healthcheck: {test: x, shell: y}\n"),
		    "c.yaml:3: healthcheck: shell is not supported" },
		{ WEB("    restart: on-failure:3\n"), "c.yaml:3: restart: "
						      "'on-failure:3'" },
		{ WEB("    stop_grace_period: 1m\n"),
		    "c.yaml:3: stop_grace_period: '1m'" },
		{ WEB("    expose: [53/udp]\n"), "c.yaml:3: expose: '53/udp'" },
		{ WEB("    shm_size: 1t\n"), "c.yaml:3: shm_size: '1t'" },
		{ WEB("    mem_limit: 0\n"), "c.yaml:3: mem_limit: '0'" },
		{ WEB("    ports: [\"443:443\"]\n"),
		    "c.yaml:3: ports: only the front's port is reached from "
		    "outside, web 80 here" },
		{ WEB("    ports: [\"80-90\"]\n"), "c.yaml:3: ports: '80-90'" },
		{ WEB("    platform: linux/arm64\n"), "c.yaml:3: platform" },
		{ "services:\n  a: {image: x}\n",
		    "c.yaml:2: which service do HTTPS clients reach?" },
		{ "services:\n  a: {ports: [1, 2]}\n",
		    "c.yaml:2: which service do HTTPS clients reach?" },
		{ "services:\n  a: {labels: [dstack.front=1]}\n"
		  "  b: {labels: [dstack.front=1]}\n",
		    "c.yaml:3: dstack.front a second time" },
		{ "services:\n  a: {labels: [com.x=1]}\n",
		    "c.yaml:2: labels: com.x=1 means nothing here" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct compose c;
		struct why why = { "" };
		enum dstack_status st = parse(v[i].text, &c, &why);
		if (st == DSTACK_OK || strstr(why.text, v[i].word) == NULL)
			fail_msg("%zu: status %d, wanted \"%s\": %s", i, st,
			    v[i].word, why.text);
	}
}

static void
the_only_published_port_is_the_front(void **state)
{
	AUTO_COMPOSE struct compose c;
	struct why why;
	(void)state;
	memset(&c, 0, sizeof(c));
	if (parse("services:\n  a: {image: x}\n  b:\n    image: y\n    ports:\n"
		  "      - {target: 3000, published: 80}\n",
		&c, &why) != DSTACK_OK)
		fail_msg("%s", why.text);
	assert_string_equal(c.m.service[c.m.front].name, "b");
	assert_int_equal(c.m.front_port, 3000);
}

static void
a_file_cut_anywhere_is_no_crash(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(full); n++) {
		struct compose c;
		if (compose_parse("c.yaml", full, n, vars, 2, env_file, NULL,
			&c, NULL) == DSTACK_OK)
			compose_free(&c);
	}
}

static void
values_with_units_are_read_whole_or_not(void **state)
{
	static const struct {
		const char *text;
		uint32_t ms;
	} times[] = { { "1h1m1s1ms", 3661001 }, { "24h", 86400000 },
		{ "24h1ms", 0 }, { "0s", 0 }, { "", 0 }, { "5", 0 },
		{ "-1s", 0 }, { "1 s", 0 }, { "1us", 0 },
		{ "99999999999999999999s", 0 } };
	static const struct {
		const char *text;
		uint64_t bytes;
	} sizes[] = { { "1", 1 }, { "7b", 7 }, { "2k", 2048 }, { "2KB", 2048 },
		{ "3m", 3 << 20 }, { "1024gb", 1ull << 40 }, { "1025g", 0 },
		{ "m", 0 }, { "1mm", 0 }, { "1bb", 0 },
		{ "99999999999999999999", 0 } };
	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		uint32_t ms = 0;
		bool ok = compose_duration(times[i].text, &ms);
		assert_int_equal(ok, times[i].ms != 0);
		if (ok)
			assert_int_equal(ms, times[i].ms);
	}
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t b = 0;
		bool ok = compose_bytes(sizes[i].text, &b);
		assert_int_equal(ok, sizes[i].bytes != 0);
		if (ok)
			assert_int_equal(b, sizes[i].bytes);
	}
}

int
main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(a_file_with_everything_becomes_its_manifest),
		cmocka_unit_test(
		    what_is_not_supported_is_refused_with_its_line),
		cmocka_unit_test(the_only_published_port_is_the_front),
		cmocka_unit_test(a_file_cut_anywhere_is_no_crash),
		cmocka_unit_test(values_with_units_are_read_whole_or_not),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
