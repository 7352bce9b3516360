/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "protocol/teeport.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Frames as the simulator (requests) and the guest (answers) read them. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n;
	if (size < TEEPORT_HEAD)
		return 0;
	const uint8_t *rest = data + TEEPORT_HEAD;
	size_t have = size - TEEPORT_HEAD;
	struct teeport_request q;
	if (teeport_rest(data, TEEPORT_MAX_REQUEST, &n) == DSTACK_OK &&
	    n <= have && teeport_decode(rest, n, &q) == DSTACK_OK) {
		AUTO_WR struct wr w = wr_new(0);
		teeport_put_request(&w, q.op, q.data);
		assert(wr_status(&w) == DSTACK_OK);
		assert(w.len == TEEPORT_HEAD + n);
		assert(memcmp(w.buf, data, w.len) == 0);
	}
	const uint8_t *p;
	struct why why = { "" };
	if (teeport_rest(data, TEEPORT_MAX_ANSWER, &n) == DSTACK_OK &&
	    n <= have &&
	    teeport_decode_answer(rest, n, &p, &n, &why) == DSTACK_OK) {
		AUTO_WR struct wr w = wr_new(0);
		teeport_put_answer(&w, TEEPORT_YES, p, n);
		assert(wr_status(&w) == DSTACK_OK);
		assert(memcmp(w.buf, data, w.len) == 0);
	}
	return 0;
}
