/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times of certificates (RFC 5280) and of Intel's JSON (RFC 3339), in UTC with
 * seconds, one form each. No fractions, no offsets, no leap seconds, and no
 * date that the calendar does not have: what is not exactly the form is refused
 * rather than rounded.
 */
#include "dcap/when.h"

#include <stdbool.h>
#include <string.h>

static bool
number(const char *p, unsigned digits, unsigned lo, unsigned hi, int *out)
{
	unsigned v = 0;
	for (unsigned i = 0; i < digits; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		v = v * 10 + (unsigned)(p[i] - '0');
	}
	*out = (int)v;
	return v >= lo && v <= hi;
}

/* Days from 1970-01-01 to the date, proleptic Gregorian calendar. */
static int64_t
days(int y, int m, int d)
{
	/* years begin in March, so that the leap day is the last one */
	y -= m <= 2;
	int64_t era = y / 400;
	int64_t yoe = y - era * 400;
	/*
	 * 153 days are five months from March on, whatever the start: 31, 30,
	 * 31, 30, 31.
	 */
	int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

enum dstack_status
when_parse_packed(const char text[static 16], int64_t *out)
{
	static const unsigned char month[] = { 31, 28, 31, 30, 31, 30, 31, 31,
		30, 31, 30, 31 };
	int y, mo, d, h, mi, s;
	if (strnlen(text, 16) != 15 || text[14] != 'Z' ||
	    !number(text, 4, 1900, 9999, &y) ||
	    !number(text + 4, 2, 1, 12, &mo) ||
	    !number(text + 6, 2, 1, 31, &d) ||
	    !number(text + 8, 2, 0, 23, &h) ||
	    !number(text + 10, 2, 0, 59, &mi) ||
	    !number(text + 12, 2, 0, 59, &s))
		return DSTACK_E_FORMAT;
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
	if (d > month[mo - 1] + (mo == 2 && leap ? 1 : 0))
		return DSTACK_E_FORMAT;
	*out = days(y, mo, d) * 86400 + h * 3600 + mi * 60 + s;
	return DSTACK_OK;
}

enum dstack_status
when_parse(const char *text, int64_t *out)
{
	if (strnlen(text, 21) != 20 || text[4] != '-' || text[7] != '-' ||
	    text[10] != 'T' || text[13] != ':' || text[16] != ':')
		return DSTACK_E_FORMAT;
	char packed[16];
	memcpy(packed, text, 4);
	memcpy(packed + 4, text + 5, 2);
	memcpy(packed + 6, text + 8, 2);
	memcpy(packed + 8, text + 11, 2);
	memcpy(packed + 10, text + 14, 2);
	memcpy(packed + 12, text + 17, 3);
	packed[15] = '\0';
	return when_parse_packed(packed, out);
}
