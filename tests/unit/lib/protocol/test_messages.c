/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "protocol/messages.h"

static void
evidence(struct msg_evidence *ev)
{
	ev->quote = wr_new(0);
	wr_str(&ev->quote, "quote bytes");
	ev->collateral = wr_new(0);
	wr_str(&ev->collateral, "{\"tcb_info\":\"{}\"}");
}

static void
build_register(struct wr *w)
{
	struct msg_register m;
	memset(&m, 0x11, sizeof(m));
	m.s.epoch = 3;
	m.s.anchor_number = 77;
	m.suite = 1;
	m.has_payee = true;
	evidence(&m.ev);
	msg_register_build(w, &m);
	msg_register_free(&m);
	assert_int_equal(wr_status(w), DSTACK_OK);
}

static void
build_bootstrap(struct wr *w)
{
	struct msg_bootstrap m;
	memset(&m, 0x22, sizeof(m));
	m.s.epoch = 0;
	m.s.anchor_number = 5;
	evidence(&m.ev);
	msg_bootstrap_build(w, &m);
	msg_bootstrap_free(&m);
	assert_int_equal(wr_status(w), DSTACK_OK);
}

static void
build_onboard(struct wr *w)
{
	struct msg_onboard m;
	memset(&m, 0x33, sizeof(m));
	m.s.epoch = 9;
	m.s.tcb_status = 2;
	m.ct = wr_new(0);
	wr_str(&m.ct, "sealed");
	msg_onboard_build(w, &m);
	msg_onboard_free(&m);
	assert_int_equal(wr_status(w), DSTACK_OK);
}

static void
build_heartbeat(struct wr *w)
{
	struct msg_heartbeat m;
	memset(&m, 0x44, sizeof(m));
	m.s.epoch = 1;
	m.s.anchor_number = 2;
	msg_heartbeat_build(w, &m);
}

static void
build_anchor(struct wr *w)
{
	struct msg_volume_anchor m;
	memset(&m, 0x55, sizeof(m));
	m.s.epoch = 1;
	m.s.anchor_number = 2;
	m.s.generation = 4;
	msg_volume_anchor_build(w, &m);
}

static void
build_node(struct wr *w)
{
	struct msg_node m;
	memset(&m, 0x66, sizeof(m));
	m.index = 1;
	m.has_owner = true;
	msg_node_build(w, &m);
}

/* Both members of an owner, or neither: then it is the submitter. */
static void
a_node_without_an_owner_is_its_submitters(void **state)
{
	(void)state;
	struct msg_node m = { .index = 3, .submitter = { 7 } };
	struct msg_node got;
	struct why why;
	AUTO_WR struct wr w = wr_new(0);
	msg_node_build(&w, &m);
	assert_int_equal(
	    msg_node_parse(w.buf, w.len, &got, &why), DSTACK_OK);
	assert_false(got.has_owner);
	assert_memory_equal(got.owner, m.submitter, 20);
	AUTO_WR struct wr half = wr_new(0);
	wr_put(&half, w.buf, w.len - 1);
	wr_str(&half, ",\"owner\":\"0x0707070707070707070707070707070707070707"
		      "\"}");
	assert_int_not_equal(
	    msg_node_parse(half.buf, half.len, &got, &why), DSTACK_OK);
}

static void
build_wanted(struct wr *w)
{
	const struct msg_wanted m = { .chain_id = 5, .epoch = 7,
		.contract = { 0x77 } };
	msg_wanted_build(w, &m);
}

static void
build_tx(struct wr *w)
{
	const uint8_t h[32] = { 1 };
	msg_tx_build(w, h);
}

/* Parse, and where that works build again into w. */
static enum dstack_status
again(int kind, const void *p, size_t n, struct wr *w)
{
	struct why why = { "" };
	enum dstack_status st = DSTACK_E_FORMAT;
	struct msg_register r;
	struct msg_bootstrap b;
	struct msg_onboard o;
	struct msg_heartbeat h;
	struct msg_volume_anchor a;
	struct msg_node d;
	struct msg_wanted v;
	uint8_t tx[32];
	switch (kind) {
	case 0:
		if ((st = msg_register_parse(p, n, &r, &why)) == DSTACK_OK)
			msg_register_build(w, &r);
		msg_register_free(&r);
		break;
	case 1:
		if ((st = msg_bootstrap_parse(p, n, &b, &why)) == DSTACK_OK)
			msg_bootstrap_build(w, &b);
		msg_bootstrap_free(&b);
		break;
	case 2:
		if ((st = msg_onboard_parse(p, n, &o, &why)) == DSTACK_OK)
			msg_onboard_build(w, &o);
		msg_onboard_free(&o);
		break;
	case 3:
		if ((st = msg_heartbeat_parse(p, n, &h, &why)) == DSTACK_OK)
			msg_heartbeat_build(w, &h);
		break;
	case 4:
		st = msg_volume_anchor_parse(p, n, &a, &why);
		if (st == DSTACK_OK)
			msg_volume_anchor_build(w, &a);
		break;
	case 5:
		if ((st = msg_node_parse(p, n, &d, &why)) == DSTACK_OK)
			msg_node_build(w, &d);
		break;
	case 7:
		if ((st = msg_wanted_parse(p, n, &v, &why)) == DSTACK_OK)
			msg_wanted_build(w, &v);
		break;
	case 6:
		if ((st = msg_tx_parse(p, n, tx, &why)) == DSTACK_OK)
			msg_tx_build(w, tx);
		break;
	default:
		break;
	}
	if (st != DSTACK_OK)
		assert_int_not_equal(why.text[0], '\0');
	return st;
}

static void (*const builders[])(struct wr *) = { build_register,
	build_bootstrap, build_onboard, build_heartbeat, build_anchor,
	build_node, build_tx, build_wanted };
#define KINDS 8

static void
what_is_built_parses_to_the_same(void **state)
{
	(void)state;
	for (int k = 0; k < KINDS; k++) {
		AUTO_WR struct wr w = wr_new(0);
		AUTO_WR struct wr back = wr_new(0);
		builders[k](&w);
		assert_int_equal(again(k, w.buf, w.len, &back), DSTACK_OK);
		assert_int_equal(back.len, w.len);
		assert_memory_equal(back.buf, w.buf, w.len);
	}
}

static void
a_cut_message_is_refused(void **state)
{
	(void)state;
	for (int k = 0; k < KINDS; k++) {
		AUTO_WR struct wr w = wr_new(0);
		AUTO_WR struct wr back = wr_new(0);
		builders[k](&w);
		for (size_t n = 0; n < w.len; n++)
			assert_int_not_equal(
			    again(k, w.buf, n, &back), DSTACK_OK);
		wr_str(&w, "x");
		assert_int_not_equal(
		    again(k, w.buf, w.len, &back), DSTACK_OK);
	}
}

static void
refused_as(int k, const json_t *o)
{
	AUTO_WR struct wr back = wr_new(0);
	char *text = json_dumps(o, JSON_COMPACT);
	assert_non_null(text);
	assert_int_not_equal(again(k, text, strlen(text), &back), DSTACK_OK);
	free(text);
}

/* Each member of o missing, of another type, and one too many. */
static void
bend(int k, const json_t *root, json_t *o)
{
	const char *key;
	json_t *v;
	json_t *names = json_array();
	json_object_foreach(o, key, v)
		assert_int_equal(json_array_append_new(names,
				     json_string(key)), 0);
	for (size_t i = 0; i < json_array_size(names); i++) {
		key = json_string_value(json_array_get(names, i));
		json_t *kept = json_incref(json_object_get(o, key));
		(void)json_object_del(o, key);
		if (strcmp(key, "payee") != 0 || k != 0)
			refused_as(k, root);
		(void)json_object_set_new(o, key, json_null());
		refused_as(k, root);
		(void)json_object_set_new(o, key, json_string("0x0"));
		refused_as(k, root);
		(void)json_object_set_new(o, key, json_integer(-1));
		refused_as(k, root);
		(void)json_object_set_new(o, key, json_real(1.0));
		refused_as(k, root);
		(void)json_object_set_new(o, key, kept);
	}
	(void)json_object_set_new(o, "more", json_true());
	refused_as(k, root);
	(void)json_object_del(o, "more");
	json_decref(names);
}

static void
a_member_missing_bent_or_unknown_is_refused(void **state)
{
	(void)state;
	static const char *const inner[KINDS] = { "register", "bootstrap",
		"onboard", "heartbeat", "anchor", NULL, NULL, "bootstrapWanted" };
	for (int k = 0; k < KINDS; k++) {
		AUTO_WR struct wr w = wr_new(0);
		builders[k](&w);
		json_t *root = json_loadb((const char *)w.buf, w.len, 0, NULL);
		assert_non_null(root);
		bend(k, root, root);
		if (inner[k] != NULL)
			bend(k, root, json_object_get(root, inner[k]));
		json_decref(root);
	}
}

static void
a_name_twice_and_a_body_too_long_are_refused(void **state)
{
	(void)state;
	uint8_t tx[32];
	struct why why;
	static const char twice[] =
	    "{\"tx\":\"0x0000000000000000000000000000000000000000000000000000"
	    "000000000001\",\"tx\":\"0x000000000000000000000000000000000000000"
	    "0000000000000000000000001\"}";
	assert_int_equal(msg_tx_parse(twice, strlen(twice), tx, &why),
	    DSTACK_E_FORMAT);
	AUTO_WR struct wr w = wr_new(0);
	build_tx(&w);
	while (w.len <= MSG_MAX)
		wr_str(&w, " ");
	assert_int_equal(
	    msg_tx_parse(w.buf, w.len, tx, &why), DSTACK_E_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_node_without_an_owner_is_its_submitters),
		cmocka_unit_test(what_is_built_parses_to_the_same),
		cmocka_unit_test(a_cut_message_is_refused),
		cmocka_unit_test(a_member_missing_bent_or_unknown_is_refused),
		cmocka_unit_test(a_name_twice_and_a_body_too_long_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
