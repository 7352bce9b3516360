/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels (PE images) and ACPI table files: bounded, and no table twice. */
#include "measure/acpi.h"
#include "measure/kernel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t rsdp[20] = "RSD PTR ";
	static const uint8_t loader[128] = { 1 };
	struct acpi_files f = { data, rsdp, loader, size, 20, 128 };
	uint8_t digest[48];
	struct why why;
	(void)!kernel_authenticode(data, size, digest, &why);
	(void)!acpi_check(&f, 2, &why);
	return 0;
}
