/* SPDX-License-Identifier: Apache-2.0 */
/* The least init there is: says that it runs. The yardstick of bench/boot. */
#include <unistd.h>

int
main(void)
{
	static const char text[] = "dstack: phase empty t=0\n";

	(void)!write(1, text, sizeof(text) - 1);
	for (;;)
		(void)pause();
}
