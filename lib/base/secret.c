/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Comparing and testing secrets without a branch on them. The volatile pointers
 * keep the compiler from turning the loop into memcmp, which stops at the first
 * difference and so tells by its time where that is.
 */
#include "base/secret.h"

bool
ct_equal(const void *a, const void *b, size_t n)
{
	const volatile uint8_t *x = a;
	const volatile uint8_t *y = b;
	uint8_t d = 0;
	for (size_t i = 0; i < n; i++)
		d = (uint8_t)(d | (x[i] ^ y[i]));
	return d == 0;
}

bool
ct_is_zero(const void *a, size_t n)
{
	const volatile uint8_t *x = a;
	uint8_t d = 0;
	for (size_t i = 0; i < n; i++)
		d = (uint8_t)(d | x[i]);
	return d == 0;
}
