/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A path of an archive in the one form that everything behind it relies on:
 * relative, its components joined by one slash, none of them empty, "." or
 * "..". A leading slash goes, as with every tar. ".." is refused rather than
 * resolved: what it means would depend on links that are judged later, and no
 * tool that makes images writes it. The result may be the empty path, which
 * is the root of the image itself.
 */
#include "oci/oci.h"

#include <string.h>

enum dstack_status
oci_path(const char *in, char *out, struct why *why)
{
	char tmp[OCI_MAX_PATH + 1] = "";
	size_t len = 0;
	size_t depth = 0;
	const char *p = in;
	while (*p != '\0') {
		const char *end = strchrnul(p, '/');
		size_t n = (size_t)(end - p);
		if (n == 2 && p[0] == '.' && p[1] == '.')
			return why_set(why, DSTACK_E_REJECTED,
			    "path %.120s: has .. in it", in);
		if (n > 255)
			return why_set(why, DSTACK_E_LIMIT,
			    "path %.60s...: a name over 255 bytes", in);
		if (n != 0 && !(n == 1 && p[0] == '.')) {
			if (++depth > OCI_MAX_DEPTH)
				return why_set(why, DSTACK_E_LIMIT,
				    "path %.60s...: deeper than %d", in,
				    OCI_MAX_DEPTH);
			if (len + n + 1 > OCI_MAX_PATH)
				return why_set(why, DSTACK_E_LIMIT,
				    "path %.60s...: over %d bytes", in,
				    OCI_MAX_PATH);
			if (len != 0)
				tmp[len++] = '/';
			memcpy(tmp + len, p, n);
			len += n;
		}
		p = *end == '/' ? end + 1 : end;
	}
	memcpy(out, tmp, len);
	out[len] = '\0';
	return DSTACK_OK;
}
