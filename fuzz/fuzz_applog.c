/* SPDX-License-Identifier: Apache-2.0 */
/* A batch of an app's log as a host gives it to its owner. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "protocol/applog.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t text[APPLOG_TEXT_MAX];
	const struct secret32 key = { { 9, 8, 7 } };
	struct applog_frame f;
	struct applog_line line;
	uint8_t prev[32];
	size_t n = 0;

	if (applog_frame_get(data, size, &f) != DSTACK_OK ||
	    applog_open(&f, &key, text, &n) != DSTACK_OK)
		return 0;
	struct rd r = rd_over(text, n);
	if (applog_prev_get(&r, prev) != DSTACK_OK)
		return 0;
	AUTO_WR struct wr lines = wr_new(0);
	while (rd_left(&r) != 0) {
		if (applog_line_get(&r, &line) != DSTACK_OK)
			return 0;
		applog_line_put(&lines, line.ms, line.from, line.p, line.n);
	}
	/* a plain one has one encoding */
	AUTO_WR struct wr again = wr_new(0);
	if (f.head.mode == APPLOG_PLAIN &&
	    (applog_frame_put(&again, &f.head, NULL, NULL, prev, lines.buf,
		 lines.len) != DSTACK_OK || again.len != size ||
		memcmp(again.buf, data, size) != 0))
		__builtin_trap();
	return 0;
}
