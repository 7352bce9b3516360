/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ACCOUNT.order holds one JSON object: directory, name, key, order and how
 * often its certificate could not be read. It is this machine's own and worth
 * little: whatever does not fit (another CA, another request, a broken file)
 * is as good as none, and a new order is made.
 */
#include "host/acme/memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/own.h"
#include "base/wr.h"

#define FILE_MAX 4096

static bool
path_of(const char *account_key, char *out, size_t cap)
{
	int n = snprintf(out, cap, "%s.order", account_key);

	return n > 0 && (size_t)n < cap;
}

static void
hex_of(const uint8_t spki[static 32], char out[65])
{
	for (size_t i = 0; i < 32; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", spki[i]);
}

bool
memory_read(const char *account_key, const char *directory, const char *name,
    const uint8_t spki[static 32], struct order_memory *out)
{
	char path[600], text[FILE_MAX], key[65];
	bool ours = false;

	if (!path_of(account_key, path, sizeof(path)))
		return false;
	AUTO_CLOSE int fd =
	    open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text)) : -1;
	json_t *o = n > 0
	    ? json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, NULL)
	    : NULL;
	const char *url = ca_text(o, "order");
	/* for another CA, name or key it is no use */
	json_int_t bad = json_integer_value(json_object_get(o, "unreadable"));
	hex_of(spki, key);
	if (strcmp(ca_text(o, "directory"), directory) == 0 &&
	    strcmp(ca_text(o, "name"), name) == 0 &&
	    strcmp(ca_text(o, "key"), key) == 0 &&
	    strncmp(url, "https://", 8) == 0 && strlen(url) < CA_URL_MAX) {
		memset(out, 0, sizeof(*out));
		memcpy(out->url, url, strlen(url) + 1);
		out->unreadable = bad > 0 && bad < 1000 ? (unsigned)bad : 0;
		ours = true;
	}
	json_decref(o);
	return ours;
}

void
memory_write(const char *account_key, const char *directory, const char *name,
    const uint8_t spki[static 32], const struct order_memory *m)
{
	char path[600], tmp[620], key[65];

	if (!path_of(account_key, path, sizeof(path)))
		return;
	/* by rename: a crash leaves the old record or the new one */
	(void)snprintf(tmp, sizeof(tmp), "%s.new", path);
	hex_of(spki, key);
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:i}", "directory", directory,
	    "name", name, "key", key, "order", m->url, "unreadable",
	    (int)m->unreadable);
	char *text = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;
	AUTO_CLOSE int fd = text != NULL
	    ? open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
	          0600)
	    : -1;
	if (fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text))
		(void)rename(tmp, path);
	free(text);
	json_decref(o);
}

void
memory_forget(const char *account_key)
{
	char path[600];

	if (path_of(account_key, path, sizeof(path)))
		(void)unlink(path);
}
