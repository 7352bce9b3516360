/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A firmware file of our own: edk2's section layout of a 4 MiB OVMF with TDX
 * (memory sections and blank variable store byte for byte), and 16 KiB of
 * counted bytes in place of the code.
 */
#ifndef TESTS_TDVF_MAKE_H
#define TESTS_TDVF_MAKE_H

#include <stdint.h>
#include <string.h>

#define FW_CFV 0x84000u
#define FW_BFV 0x4000u
#define FW_LEN (FW_CFV + FW_BFV)
#define FW_META (FW_LEN - 0x1000u)  /* "TDVF" */
#define FW_SECTION(i) (FW_META + 16 + 32u * (i))
#define FW_SECTIONS 6u
#define FW_TABLE_END (FW_LEN - 32u)

static inline void
fw_put(uint8_t *p, uint64_t v, int n)
{
	for (int i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static inline void
fw_section(uint8_t *fw, unsigned i, uint32_t offset, uint32_t raw,
    uint64_t address, uint64_t size, uint32_t type, uint32_t attributes)
{
	uint8_t *p = fw + FW_SECTION(i);
	fw_put(p, offset, 4);
	fw_put(p + 4, raw, 4);
	fw_put(p + 8, address, 8);
	fw_put(p + 16, size, 8);
	fw_put(p + 24, type, 4);
	fw_put(p + 28, attributes, 4);
}

/* fw: FW_LEN bytes */
static inline void
fw_make(uint8_t *fw)
{
	/* PI volume header, then edk2's authenticated variable store header */
	static const uint8_t store[100] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0x8d, 0x2b, 0xf1, 0xff, 0x96, 0x76, 0x8b, 0x4c,
		0xa9, 0x85, 0x27, 0x47, 0x07, 0x5b, 0x4f, 0x50, 0x00, 0x40,
		0x08, 0, 0, 0, 0, 0, '_', 'F', 'V', 'H', 0xff, 0xfe, 0x04, 0,
		0x48, 0, 0xaf, 0xb8, 0, 0, 0, 0x02, 0x84, 0, 0, 0, 0, 0x10, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0x78, 0x2c, 0xf3, 0xaa, 0x7b, 0x94,
		0x9a, 0x43, 0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3, 0x77, 0x92,
		0xb8, 0xff, 0x03, 0, 0x5a, 0xfe };
	static const uint8_t working[32] = { 0x2b, 0x29, 0x58, 0x9e, 0x68, 0x7c,
		0x7d, 0x49, 0xa0, 0xce, 0x65, 0, 0xfd, 0x9f, 0x1b, 0x95, 0x2c,
		0xaf, 0x2c, 0x64, 0xfe, 0xff, 0xff, 0xff, 0xe0, 0x0f };
	static const uint8_t footer[16] = { 0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f,
		0xf7, 0x45, 0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d };
	static const uint8_t offset[16] = { 0x35, 0x65, 0x7a, 0xe4, 0x4a, 0x98,
		0x98, 0x47, 0x86, 0x5e, 0x46, 0x85, 0xa7, 0xbf, 0x8e, 0xc2 };
	memset(fw, 0xff, FW_CFV);
	memcpy(fw, store, sizeof(store));
	memcpy(fw + 0x41000, working, sizeof(working));
	for (unsigned i = 0; i < FW_BFV; i++)
		fw[FW_CFV + i] = (uint8_t)(i * 7 + (i >> 8));
	memcpy(fw + FW_META, "TDVF", 4);
	fw_put(fw + FW_META + 4, 16 + 32 * FW_SECTIONS, 4);
	fw_put(fw + FW_META + 8, 1, 4);
	fw_put(fw + FW_META + 12, FW_SECTIONS, 4);
	fw_section(fw, 0, FW_CFV, FW_BFV, 0xffffc000, FW_BFV, 0, 1);
	fw_section(fw, 1, 0, FW_CFV, 0xffc00000, FW_CFV, 1, 0);
	fw_section(fw, 2, 0, 0, 0x811000, 0xf000, 3, 0);
	fw_section(fw, 3, 0, 0, 0x80b000, 0x2000, 3, 0);
	fw_section(fw, 4, 0, 0, 0x809000, 0x2000, 2, 0);
	fw_section(fw, 5, 0, 0, 0x800000, 0x6000, 3, 0);
	/* table: another entry of 26 bytes, ours of 22, the footer of 18 */
	uint8_t *end = fw + FW_TABLE_END;
	memcpy(end - 16, footer, 16);
	fw_put(end - 18, 66, 2);
	memcpy(end - 34, offset, 16);
	fw_put(end - 36, 22, 2);
	fw_put(end - 40, FW_LEN - FW_META, 4);
	memset(end - 66, 0x11, 26);
	fw_put(end - 58, 26, 2);
}

#endif
