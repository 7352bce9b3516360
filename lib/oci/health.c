/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HEALTHCHECK: the member Healthcheck of a Docker config (Docker image
 * specification 1.2, "Image JSON field descriptions"). Test is a list whose
 * first word says what the rest is: NONE, nothing is checked, also where a
 * base image would; CMD, an argument vector; CMD-SHELL, one text for the
 * image's SHELL. The times are nanoseconds; 0 or absent: Docker's default.
 * What Docker itself would not take (a time under a millisecond) or would
 * silently not run (another first word) is refused, so that nobody waits for
 * a check that there is not.
 */
#include "oci/internal.h"

#include <string.h>

#define NS_PER_MS 1000000
#define MAX_MS 86400000u /* a day: longer is no check of a server */
#define MAX_RETRIES 1000

static enum dstack_status
take_ms(json_t *from, const char *key, uint32_t otherwise, uint32_t *out,
    struct why *why)
{
	json_t *j = json_object_get(from, key);
	json_int_t v = json_integer_value(j);

	*out = otherwise;
	if (j != NULL && !json_is_null(j) && !json_is_integer(j))
		return why_set(why, DSTACK_E_FORMAT,
		    "image config: Healthcheck.%s is no number", key);
	if (v == 0)
		return DSTACK_OK;
	if (v < NS_PER_MS || v / NS_PER_MS > MAX_MS)
		return why_set(why, DSTACK_E_LIMIT,
		    "image config: Healthcheck.%s is a time in nanoseconds "
		    "between a millisecond and a day", key);
	*out = (uint32_t)(v / NS_PER_MS);
	return DSTACK_OK;
}

static enum dstack_status
take_retries(json_t *from, unsigned *out, struct why *why)
{
	json_t *j = json_object_get(from, "Retries");
	json_int_t v = json_integer_value(j);

	if ((j != NULL && !json_is_null(j) && !json_is_integer(j)) || v < 0 ||
	    v > MAX_RETRIES)
		return why_set(why, DSTACK_E_FORMAT,
		    "image config: Healthcheck.Retries is a number from 0 to "
		    "%d", MAX_RETRIES);
	*out = v != 0 ? (unsigned)v : 3;
	return DSTACK_OK;
}

/* Is there something to run? *ntest 0 where the image says NONE. */
static enum dstack_status
judge(struct oci_health *h, struct why *why)
{
	const char *kind = h->ntest != 0 ? h->test[0] : "NONE";

	if (strcmp(kind, "NONE") == 0)
		h->ntest = 0;
	else if (strcmp(kind, "CMD-SHELL") == 0)
		h->shell = true;
	else if (strcmp(kind, "CMD") != 0)
		return why_set(why, DSTACK_E_FORMAT,
		    "image config: Healthcheck.Test begins with %.40s; it is "
		    "NONE, CMD or CMD-SHELL", kind);
	if (h->ntest == 1)
		return why_set(why, DSTACK_E_FORMAT,
		    "image config: Healthcheck.Test names no command");
	return DSTACK_OK;
}

enum dstack_status
oci_health_take(json_t *config, struct oci_health *h, struct why *why)
{
	json_t *j = json_object_get(config, "Healthcheck");

	if (j != NULL && !json_is_object(j) && !json_is_null(j))
		return why_set(why, DSTACK_E_FORMAT,
		    "image config: Healthcheck is no object");
	enum dstack_status st =
	    oci_config_list(j, "Test", false, &h->test, &h->ntest, why);
	if (st == DSTACK_OK)
		st = judge(h, why);
	if (st == DSTACK_OK)
		st = take_ms(j, "Interval", 30000, &h->interval, why);
	if (st == DSTACK_OK)
		st = take_ms(j, "Timeout", 30000, &h->timeout, why);
	if (st == DSTACK_OK)
		st = take_ms(j, "StartPeriod", 0, &h->start, why);
	if (st == DSTACK_OK)
		st = take_ms(j, "StartInterval", 5000, &h->start_interval, why);
	if (st == DSTACK_OK)
		st = take_retries(j, &h->retries, why);
	return st;
}

/* The same member again, for an image that is built. */
static void
put_ms(json_t *j, const char *key, uint32_t ms, uint32_t otherwise)
{
	if (ms != otherwise)
		(void)json_object_set_new(
		    j, key, json_integer((json_int_t)ms * NS_PER_MS));
}

json_t *
oci_health_json(const struct oci_health *h)
{
	json_t *j = json_object();
	json_t *test = json_array();

	for (size_t i = 0; i < h->ntest; i++)
		(void)json_array_append_new(test, json_string(h->test[i]));
	(void)json_object_set_new(j, "Test", test);
	put_ms(j, "Interval", h->interval, 30000);
	put_ms(j, "Timeout", h->timeout, 30000);
	put_ms(j, "StartPeriod", h->start, 0);
	put_ms(j, "StartInterval", h->start_interval, 5000);
	if (h->retries != 3)
		(void)json_object_set_new(
		    j, "Retries", json_integer((json_int_t)h->retries));
	return j;
}
