/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCCS_URL, judged before anybody is asked. Old files of Intel's provider
 * library (sgx_default_qcnl.conf) say .../sgx/certification/v3/, which the
 * service has retired; appended to, it makes a path that every service
 * answers with 404, and that reads as if the platform were not known. So what
 * the path says of API and version is looked at here: none is a base, v4 is
 * cut off, any other is named. What follows a "?" belongs to one request and
 * not to a base.
 */
#include "host/collateral/pcs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/own.h"

#define API "/certification/v"

/*
 * The path of url, "" if there is none; NULL: neither http nor https, or no
 * host.
 */
static const char *
path_of(const char *url)
{
	const size_t n = strncasecmp(url, "http://", 7) == 0 ? 7
	    : strncasecmp(url, "https://", 8) == 0	     ? 8
							     : 0;

	const size_t host = n != 0 ? strcspn(url + n, "/?#") : 0;

	return host != 0 ? url + n + host : NULL;
}

void
pcs_base(const char *url, char out[static PCS_URL_MAX])
{
	static const char *const tails[] = { "/sgx/certification/v4",
		"/tdx/certification/v4" };
	const char *path = path_of(url);
	const size_t least = path != NULL ? (size_t)(path - url) : 0;
	size_t n = strlen(url);

	while (n > least && url[n - 1] == '/')
		n--;
	for (size_t i = 0; i < 2; i++) {
		size_t k = strlen(tails[i]);
		/* of the path alone: a host may be called sgx */
		if (n >= least + k && strncmp(url + n - k, tails[i], k) == 0)
			n -= k;
	}
	(void)snprintf(out, PCS_URL_MAX, "%.*s", (int)n, url);
}

enum dstack_status
pcs_url_check(const char *url, struct why *why)
{
	char base[PCS_URL_MAX];
	const char *path = path_of(url);

	if (strlen(url) >= PCS_URL_MAX)
		return why_set(why, DSTACK_E_FORMAT,
		    "the service's URL (PCCS_URL) is over %d characters",
		    PCS_URL_MAX - 1);
	if (path == NULL)
		return why_set(why, DSTACK_E_FORMAT,
		    "the service's URL (PCCS_URL) is not http://HOST or "
		    "https://HOST");
	if (strpbrk(path, "?#") != NULL)
		return why_set(why, DSTACK_E_FORMAT,
		    "the service's URL (PCCS_URL) is one request's: give its "
		    "base, as in https://HOST:8081");
	pcs_base(url, base);
	path = path_of(base);
	const char *at = path != NULL ? strstr(path, API) : NULL;
	if (at == NULL)
		return DSTACK_OK;
	const char *v = at + strlen(API);
	const int n = (int)strspn(v, "0123456789");
	if (n > 0 && n < 4 && strncmp(v, "4", (size_t)n) != 0)
		return why_set(why, DSTACK_E_FORMAT,
		    "the service's URL (PCCS_URL) names API version %.*s%s, "
		    "and 4 is needed; give its base, as in https://HOST:8081",
		    n, v,
		    strncmp(v, "3", (size_t)n) == 0
			? ", which Intel has retired"
			: "");
	return why_set(why, DSTACK_E_FORMAT,
	    "the service's URL (PCCS_URL) goes on behind its base; give the "
	    "base, as in https://HOST:8081");
}

const char *
pcs_given(const char *text)
{
	return text != NULL && text[0] != '\0' ? text : NULL;
}

enum dstack_status
pcs_source_check(const char *url, const char *ca_file, struct why *why)
{
	enum dstack_status st =
	    pcs_given(url) != NULL ? pcs_url_check(url, why) : DSTACK_OK;
	if (st != DSTACK_OK || pcs_given(ca_file) == NULL)
		return st;
	AUTO_CLOSE int fd = open(ca_file, O_RDONLY | O_CLOEXEC);
	return fd >= 0 ? DSTACK_OK
		       : why_set(why, DSTACK_E_MISSING, "PCCS_CA: %.200s: %s",
			     ca_file, strerror(errno));
}
