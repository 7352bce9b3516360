/* SPDX-License-Identifier: Apache-2.0 */
/* Archives of our own making, read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/lib/oci/plan.h"

static void
what_we_build_we_read_and_twice_alike(void **state)
{
	(void)state;
	const struct oci_file files[] = {
		{ .path = "app", .kind = OCI_FILE, .mode = 0755, .data = "#!",
		    .size = 2 },
		{ .path = "etc", .kind = OCI_DIR, .mode = 0755 },
		{ .path = "etc/l", .kind = OCI_SYMLINK, .mode = 0777,
		    .target = "../app" },
	};
	struct oci_config c;
	struct why why = { "" };
	static const char json[] = "{\"Cmd\":[\"/app\"],\"Env\":[\"A=1\"],"
				   "\"ExposedPorts\":{\"81/tcp\":{}},"
				   "\"Volumes\":{\"/v\":{}}}";
	uint8_t d[2][32];
	AUTO_WR struct wr a = wr_new(0);
	AUTO_WR struct wr b = wr_new(0);
	char *text = NULL;
	assert_int_equal(
	    oci_config_parse(json, strlen(json), &c, &why), DSTACK_OK);
	assert_int_equal(oci_build(files, 3, &c, NULL, &a, d[0], &why),
	    DSTACK_OK);
	assert_int_equal(oci_build(files, 3, &c, NULL, &b, d[1], &why),
	    DSTACK_OK);
	oci_config_free(&c);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.buf, b.buf, a.len);
	assert_memory_equal(d[0], d[1], 32);
	assert_int_equal(run(&a, d[0], BIG, &text, &why), DSTACK_OK);
	assert_string_equal(text,
	    "0 file app 755 0\n0 dir etc 755 0\n"
	    "0 symlink etc/l > ../app\n");
	free(text);
	AUTO_OCI struct oci_image *img = NULL;
	assert_int_equal(oci_open(a.buf, a.len, d[0], BIG, &img, &why),
	    DSTACK_OK);
	assert_int_equal(oci_config(img)->port, 81);
	assert_string_equal(oci_config(img)->cmd[0], "/app");
	assert_string_equal(oci_config(img)->volumes[0], "/v");
}

/*
 * Debian's ca-certificates has such a symlink; a Mac writes the same letters
 * in other bytes, and an old disk none of UTF-8.
 */
static void
names_are_bytes_when_we_build_too(void **state)
{
	(void)state;
#define NFC "NetLock_Arany_=Class_Gold=_F\xc5\x91tan\xc3\xbas\xc3\xadtv\xc3\xa1ny"
#define NFD "F\x6f\xcc\x8btanu\xcc\x81si\xcc\x81tva\xcc\x81ny"
#define LATIN "caf\xe9-\xff"
	const struct oci_file files[] = {
		{ .path = LATIN, .kind = OCI_FILE, .mode = 0644, .data = "1",
		    .size = 1 },
		{ .path = NFD, .kind = OCI_DIR, .mode = 0755 },
		{ .path = NFD "/" NFC ".pem", .kind = OCI_SYMLINK,
		    .mode = 0777, .target = "/usr/share/" NFC ".crt" },
		{ .path = NFD "/" LATIN, .kind = OCI_SYMLINK, .mode = 0777,
		    .target = "../" LATIN },
		{ .path = "ascii", .kind = OCI_SYMLINK, .mode = 0777,
		    .target = NFD },
	};
	struct oci_config c;
	struct why why = { "" };
	uint8_t d[32];
	AUTO_WR struct wr a = wr_new(0);
	char *text = NULL;
	static const char config[] =
	    "{\"Labels\":{\"b\":\"2\",\"a\":\"1\",\"dstack.port\":\"81\"}}";
	assert_int_equal(oci_config_parse(config, strlen(config), &c, &why),
	    DSTACK_OK);
	if (oci_build(files, 5, &c, NULL, &a, d, &why) != DSTACK_OK)
		fail_msg("%s", why.text);
	oci_config_free(&c);
	assert_non_null(memmem(a.buf, a.len,
	    "\"Labels\":{\"a\":\"1\",\"b\":\"2\",\"dstack.port\":\"81\"}", 43));
	assert_int_equal(run(&a, d, BIG, &text, &why), DSTACK_OK);
	assert_string_equal(text,
	    "0 file " LATIN " 644 0\n0 dir " NFD " 755 0\n"
	    "0 symlink " NFD "/" NFC ".pem > /usr/share/" NFC ".crt\n"
	    "0 symlink " NFD "/" LATIN " > ../" LATIN "\n"
	    "0 symlink ascii > " NFD "\n");
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_we_build_we_read_and_twice_alike),
		cmocka_unit_test(names_are_bytes_when_we_build_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
