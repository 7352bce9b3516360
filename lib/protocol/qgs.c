/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intel's quote generation service on the host (QGS), as QEMU's tdx-guest
 * object and the kernel's TDVMCALL hand it through: a message with a big-endian
 * length in front and little-endian fields behind (Intel's qgs_msg_lib). The
 * answer comes from the host, so every length in it is held against the bytes
 * that are there; whether the quote is one, the verifier says, not this.
 */
#include "protocol/qgs.h"

#include "base/rd.h"

#define HEADER 16u

void
qgs_put_request(struct wr *w, const uint8_t report[static TDREPORT_LEN])
{
	uint32_t size = HEADER + 8 + TDREPORT_LEN;
	wr_u32be(w, size);
	wr_u16le(w, 1);
	wr_u16le(w, 0);
	wr_u32le(w, 0); /* get quote */
	wr_u32le(w, size);
	wr_u32le(w, 0);
	wr_u32le(w, TDREPORT_LEN);
	wr_u32le(w, 0);
	wr_put(w, report, TDREPORT_LEN);
}

enum dstack_status
qgs_answer(const void *p, size_t n, struct wr *out, struct why *why)
{
	struct rd r = rd_over(p, n);
	uint16_t major = 0;
	uint16_t minor = 0;
	uint32_t type = 0;
	uint32_t size = 0;
	uint32_t error = 0;
	uint32_t idlen = 0;
	uint32_t len = 0;
	const uint8_t *quote = NULL;
	if (rd_u16le(&r, &major) != DSTACK_OK ||
	    rd_u16le(&r, &minor) != DSTACK_OK ||
	    rd_u32le(&r, &type) != DSTACK_OK ||
	    rd_u32le(&r, &size) != DSTACK_OK ||
	    rd_u32le(&r, &error) != DSTACK_OK || major != 1 || type != 1 ||
	    size != n)
		return why_set(why, DSTACK_E_FORMAT,
		    "QGS: an answer that is none");
	/*
	 * An error has no quote behind it; its number means something to the
	 * host's operator only.
	 */
	if (error != 0)
		return why_set(why, DSTACK_E_MISSING,
		    "QGS: error 0x%x; see the host's QGS log", error);
	if (rd_u32le(&r, &idlen) != DSTACK_OK ||
	    rd_u32le(&r, &len) != DSTACK_OK ||
	    /*
	     * The id of the quoting enclave stands before the quote and is in
	     * the quote again.
	     */
	    rd_skip(&r, idlen) != DSTACK_OK ||
	    rd_take(&r, len, &quote) != DSTACK_OK ||
	    rd_end(&r) != DSTACK_OK || len == 0)
		return why_set(why, DSTACK_E_FORMAT,
		    "QGS: lengths in its answer do not add up");
	wr_put(out, quote, len);
	return wr_status(out);
}
