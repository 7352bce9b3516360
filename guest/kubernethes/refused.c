/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When is a version that failed tried again?
 *
 * At growing intervals, for three minutes from its first failure: what was
 * wrong may have been of the moment. Then it rests, since each try costs
 * memory and processor time that the version that serves could use. The rest
 * ends when the files in the host's folder change, as somebody may have
 * brought a better archive, or after an hour. One whose archive is not there
 * never rests: it comes when it comes, and a look costs nothing.
 */
#include <string.h>

#include "guest/base/role.h"
#include "guest/kubernethes/kubernethes.h"

#define FIRST_MS 500
#define MOST_MS 60000
#define MISSING_MS 2000
#define TRIES_MS 180000
#define REST_MS 3600000
#define FOLDER_MS 10000 /* between looks at the host's folder */

bool
kube_same(const struct state_app *a, const struct state_app *b)
{
	return a->version == b->version &&
	    memcmp(a->digest, b->digest, 32) == 0 &&
	    memcmp(a->app_id, b->app_id, 32) == 0;
}

void
kube_refused(struct kube_refused *f, const struct state_app *r, bool missing,
    bool once)
{
	int64_t now = kube_now();
	if (!kube_same(&f->record, r))
		*f = (struct kube_refused){ .record = *r };
	f->tries++;
	if (f->first == 0)
		f->first = now;
	f->after = f->after != 0 ? f->after * 2 : FIRST_MS;
	int64_t most = missing ? MISSING_MS : MOST_MS;
	if (f->after > most)
		f->after = most;
	f->at = now + f->after;
	f->rests = !missing && (once || now - f->first >= TRIES_MS);
	if (!f->rests)
		return;
	f->folder = kube_shared_look(FD_EDGE + ROLE_HOSTLINK);
	f->look_at = now + FOLDER_MS;
	f->at = now + REST_MS;
}

bool
kube_again(struct kube_refused *f, const struct state_app *r)
{
	int64_t now = kube_now();
	if (!kube_same(&f->record, r))
		return true;
	bool due = now >= f->at;
	if (f->rests && !due && now >= f->look_at) {
		uint64_t folder = kube_shared_look(FD_EDGE + ROLE_HOSTLINK);
		f->look_at = now + FOLDER_MS;
		due = folder != 0 && folder != f->folder;
	}
	if (due && f->rests) /* as if it were new */
		*f = (struct kube_refused){ .record = f->record };
	return due;
}
