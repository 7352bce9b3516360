/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Role volume: opens this node's encrypted volume for the app, or refuses
 * (docs/volume.md). It reads 8 KiB of the disk, decides by the chain's anchor,
 * and is gone when the volume is mounted.
 *
 * First, while there is no secret, it answers replicatoor: would this disk
 * surely be refused in the epoch that the node is about to join? That costs
 * nothing yet, so a no ends the node with a line that says what to do. When
 * replicatoor is gone the secret is here, and with it the keys that tell
 * whether the record is authentic. A no from here on ends nothing: the node
 * holds the secret for others, says once what is wrong with its disk, looks at
 * it again now and then, and runs no app meanwhile.
 */
#include "guest/base/role.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "guest/chain/chain.h"
#include "guest/base/ipc.h"
#include "guest/base/link.h"
#include "guest/base/paths.h"
#include "guest/init/sandbox.h"
#include "guest/volume/disk.h"
#include "protocol/keytree.h"
#include "protocol/messages.h"
#include "protocol/volume.h"

#define KEYD_VOLUME_KEYS 17
#define KEYD_SIGN_ANCHOR 18
#define RETRY_MS 100
#define DIRECTORY_RECORD "volume.record"
#define FORESEE 1          /* replicatoor's op: epoch u64 */
#define AGAIN_SECONDS 10   /* between two looks at a disk that is refused */

struct vol {
	struct chain chain;
	int disk;           /* FD_DISK, or the record file of a directory */
	bool directory;     /* --no-vm: a plain directory, nothing encrypted */
	uint64_t bytes;     /* of the disk */
	uint8_t app_id[32];
	struct msg_node node; /* whose the volume is */
	uint64_t epoch;     /* that the node joins */
	uint8_t id[32];     /* volumeId */
	struct volume_keys keys;
	struct volume_record record;
};

static void
nap(void)
{
	const struct timespec t = { 0, RETRY_MS * 1000000L };
	(void)nanosleep(&t, NULL);
}

/* What the chain or host cannot say yet is asked again; a no is final. */
static bool
later(enum dstack_status st)
{
	return st == DSTACK_E_BUSY || st == DSTACK_E_MISSING ||
	    st == DSTACK_E_FORMAT;
}

static enum dstack_status
open_netcfg(struct vol *v, struct why *why)
{
	struct netcfg cfg;
	enum dstack_status st = role_netcfg(&cfg, NULL, why);
	if (st == DSTACK_OK)
		chain_open(&v->chain, FD_EDGE + ROLE_HOSTLINK,
		    FD_EDGE + ROLE_LIGHTCLIENT, &cfg);
	return st;
}

static enum dstack_status
open_disk(struct vol *v, struct why *why)
{
	struct stat sb;
	if (fstat(FD_DISK, &sb) != 0)
		return why_set(why, DSTACK_E_MISSING,
		    "there is no disk: give the VM encrypted_container.img");
	if (S_ISDIR(sb.st_mode)) {
		v->directory = true;
		v->bytes = VOLUME_MIN_BYTES;
		v->disk = openat(FD_DISK, DIRECTORY_RECORD,
		    O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (v->disk < 0 || ftruncate(v->disk, 2 * VOLUME_BLOCK) != 0)
			return why_set(why, DSTACK_E_SYS, "%s: %s",
			    DIRECTORY_RECORD, strerror(errno));
		log_line("no VM: the volume is a plain directory of the host");
		return DSTACK_OK;
	}
	v->disk = FD_DISK;
	if (!S_ISBLK(sb.st_mode) || ioctl(FD_DISK, BLKGETSIZE64, &v->bytes) != 0)
		return why_set(why, DSTACK_E_SYS, "the disk is no block device");
	/* A host may give any size; only whole blocks are used, and so many. */
	if (v->bytes > VOLUME_MAX_BYTES) {
		log_line("the disk has %llu GiB, of which %llu are used",
		    (unsigned long long)(v->bytes >> 30),
		    (unsigned long long)(VOLUME_MAX_BYTES >> 30));
		v->bytes = VOLUME_MAX_BYTES;
	}
	v->bytes -= v->bytes % VOLUME_BLOCK;
	return DSTACK_OK;
}

/* Which volume this is: by the app, and by whose node it is. */
static enum dstack_status
identify(struct vol *v, struct why *why)
{
	struct state_app app;
	AUTO_WR struct wr a = wr_new(LINK_MAX_BODY);
	enum dstack_status st = chain_app(&v->chain, &app, NULL, why);
	if (st == DSTACK_OK)
		st = link_fetch(FD_EDGE + ROLE_HOSTLINK, "/node", NULL, 0, &a,
		    why);
	if (st == DSTACK_OK)
		st = msg_node_parse(a.buf, a.len, &v->node, why);
	if (st != DSTACK_OK)
		return st;
	memcpy(v->app_id, app.app_id, sizeof(v->app_id));
	volume_id(v->app_id, v->node.owner, v->node.index, v->id);
	return DSTACK_OK;
}

/* FORESEE: by what can be seen without a key. */
static enum dstack_status
foresee(struct vol *v, uint64_t epoch, struct why *why)
{
	struct volume_hint copy[2];
	struct state_volume on_chain = { 0 };
	uint8_t block[VOLUME_BLOCK];

	v->epoch = epoch;
	for (unsigned i = 0; i < 2; i++) {
		if (pread(v->disk, block, sizeof(block),
			(off_t)i * VOLUME_BLOCK) != (ssize_t)sizeof(block))
			return why_set(why, DSTACK_E_REJECTED,
			    "the disk cannot be read: %s", strerror(errno));
		volume_peek(block, &copy[i]);
	}
	enum dstack_status st = identify(v, why);
	const bool known = st == DSTACK_OK;
	if (known)
		st = chain_volume(&v->chain, v->id, &on_chain, NULL, why);
	else if (st == DSTACK_E_BUSY)
		st = DSTACK_OK; /* there is no app yet, and no volumeId */
	return st != DSTACK_OK
	    ? st
	    : volume_foresee(copy, known ? v->id : NULL, on_chain.generation,
	          epoch, v->bytes, why);
}

/* Until replicatoor is gone: the secret is in keyd, or the node ends. */
static void
foresee_serve(struct vol *v)
{
	const int fd = FD_EDGE + ROLE_REPLICATOOR;
	for (;;) {
		struct ipc_request q;
		struct why why = { "" };
		uint64_t epoch = 0;
		bool eof = false;
		enum dstack_status st = ipc_receive(fd, &q, &eof);
		if (st == DSTACK_E_LIMIT)
			continue;
		if (st != DSTACK_OK || eof)
			return;
		if (q.op != FORESEE || rd_u64be(&q.body, &epoch) != DSTACK_OK ||
		    rd_end(&q.body) != DSTACK_OK)
			st = why_set(&why, DSTACK_E_REJECTED,
			    "volume: FORESEE is an epoch, 8 bytes");
		else
			st = foresee(v, epoch, &why);
		ipc_request_free(&q);
		if (st == DSTACK_OK)
			(void)!ipc_answer(fd, NULL);
		else
			ipc_answer_why(
			    fd, later(st) ? DSTACK_E_BUSY : st, &why);
	}
}

static enum dstack_status
get_keys(struct vol *v, const uint8_t uuid[static 16], struct why *why)
{
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	wr_put(&q, v->app_id, sizeof(v->app_id));
	wr_put(&q, uuid, 16);
	enum dstack_status st = ipc_call_wait(
	    FD_EDGE + ROLE_KEYD, KEYD_VOLUME_KEYS, &q, &a, why);
	if (st != DSTACK_OK)
		return st;
	struct rd r = rd_over(a.buf, a.len);
	if ((st = rd_copy(&r, v->keys.xts.b, 64)) != DSTACK_OK ||
	    (st = rd_copy(&r, v->keys.mac.b, 32)) != DSTACK_OK ||
	    (st = rd_copy(&r, v->keys.hdr.b, 32)) != DSTACK_OK ||
	    (st = rd_end(&r)) != DSTACK_OK)
		return why_set(why, st, "keyd: bad answer");
	return DSTACK_OK;
}

/*
 * The newest authentic copy into v->record, and its keys into v->keys.
 * *found false: none. *blank: both copies are zero bytes.
 */
static enum dstack_status
read_record(struct vol *v, bool *found, bool *blank, struct why *why)
{
	*found = false;
	*blank = true;
	for (unsigned i = 0; i < 2; i++) {
		uint8_t block[VOLUME_BLOCK], uuid[16];
		struct volume_record r;
		if (pread(v->disk, block, sizeof(block),
			(off_t)i * VOLUME_BLOCK) != (ssize_t)sizeof(block))
			return why_set(why, DSTACK_E_SYS,
			    "the disk cannot be read: %s", strerror(errno));
		if (ct_is_zero(block, sizeof(block)))
			continue;
		*blank = false;
		if (!volume_uuid(block, uuid))
			continue;
		/*
		 * Keys belong to the uuid in a copy: those of the copy that
		 * counts stay.
		 */
		AUTO_VOLUME_KEYS struct volume_keys before = v->keys;
		enum dstack_status st = get_keys(v, uuid, why);
		if (st != DSTACK_OK)
			return st;
		if (volume_decode(block, &v->keys.hdr, &r) == DSTACK_OK &&
		    (!*found || r.generation > v->record.generation)) {
			v->record = r;
			*found = true;
		} else {
			v->keys = before;
		}
	}
	return DSTACK_OK;
}

/* Odd generations to copy 1, even ones to copy 0: never over the newest. */
static enum dstack_status
write_record(struct vol *v, struct why *why)
{
	uint8_t block[VOLUME_BLOCK];
	volume_encode(&v->record, &v->keys.hdr, block);
	off_t at = (off_t)(v->record.generation % 2) * VOLUME_BLOCK;
	if (pwrite(v->disk, block, sizeof(block), at) !=
		(ssize_t)sizeof(block) ||
	    fsync(v->disk) != 0)
		return why_set(why, DSTACK_E_SYS,
		    "the disk cannot be written: %s", strerror(errno));
	return DSTACK_OK;
}

static enum dstack_status
format(struct vol *v, struct why *why)
{
	struct volume_record *r = &v->record;
	memset(r, 0, sizeof(*r));
	if (getrandom(r->uuid, sizeof(r->uuid), 0) != (ssize_t)sizeof(r->uuid))
		return DSTACK_E_SYS;
	memcpy(r->volume_id, v->id, sizeof(r->volume_id));
	r->generation = 1;
	r->epoch_plus_1 = v->epoch + 1;
	r->device_bytes = v->bytes;
	enum dstack_status st = get_keys(v, r->uuid, why);
	if (st == DSTACK_OK && !v->directory)
		st = volume_disk_format(PATH_DISK, &v->keys, r, why);
	if (st == DSTACK_OK)
		st = write_record(v, why); /* last: until now it is blank */
	return st;
}

static enum dstack_status
send_anchor(struct vol *v, struct why *why)
{
	struct msg_volume_anchor m = { 0 };
	struct state_head state;
	struct chain_head head;
	enum dstack_status st = chain_state(&v->chain, &state, &head, why);
	if (st != DSTACK_OK)
		return st;
	memcpy(m.s.volume_id, v->id, sizeof(m.s.volume_id));
	m.s.generation = v->record.generation;
	volume_root(&v->record, m.s.root);
	m.s.epoch = state.current_epoch;
	m.s.anchor_number = head.number;
	memcpy(m.s.anchor_hash, head.hash, sizeof(m.s.anchor_hash));
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	stmt_volume_anchor_put(&q, &m.s);
	wr_put(&q, v->app_id, sizeof(v->app_id));
	wr_u64be(&q, v->node.index);
	wr_put(&q, v->node.owner, sizeof(v->node.owner));
	wr_put(&q, v->node.owner_sig, sizeof(v->node.owner_sig));
	st = ipc_call(
	    FD_EDGE + ROLE_KEYD, KEYD_SIGN_ANCHOR, &q, NULL, 0, &a, why);
	if (st != DSTACK_OK)
		return st;
	if (a.len != sizeof(m.sig))
		return why_set(why, DSTACK_E_REJECTED, "keyd: bad answer");
	memcpy(m.sig, a.buf, sizeof(m.sig));
	AUTO_WR struct wr body = wr_new(0);
	AUTO_WR struct wr answer = wr_new(LINK_MAX_BODY);
	msg_volume_anchor_build(&body, &m);
	if ((st = wr_status(&body)) != DSTACK_OK)
		return st;
	return link_fetch(FD_EDGE + ROLE_HOSTLINK, "/anchor", body.buf,
	    body.len, &answer, why);
}

/*
 * The chain must know the volume before the app sees it: from then on a
 * blank disk is refused. Whether the host sent it is seen on the chain only.
 */
static enum dstack_status
anchor(struct vol *v, struct why *why)
{
	bool said = false;
	for (;;) {
		struct state_volume on_chain;
		enum dstack_status st = send_anchor(v, why);
		if (st == DSTACK_E_REJECTED)
			return st;
		if (st != DSTACK_OK && !said) {
			log_line("anchoring the volume: %s; trying on",
			    why->text);
			said = true;
		}
		/*
		 * A few seconds of looking, then the anchor is sent again with
		 * a newer block.
		 */
		for (int i = 0; i < 25; i++) {
			st = chain_volume(
			    &v->chain, v->id, &on_chain, NULL, why);
			if (st == DSTACK_OK)
				st = volume_anchored(&v->record,
				    on_chain.generation, on_chain.root, why);
			if (st == DSTACK_OK || !later(st))
				return st;
			nap();
		}
	}
}

/* Did the host restore this disk from a backup? */
static bool
restored(const struct vol *v)
{
	uint8_t block[VOLUME_BLOCK];
	return !v->directory &&
	    pread(v->disk, block, sizeof(block), VOLUME_MARK_AT) ==
		(ssize_t)sizeof(block) &&
	    volume_marked(block);
}

/*
 * A restored disk: the chain gets its new generation before the app sees what
 * is in it, so that the copies that this one takes the place of are refused
 * from now on, by every node. The mark goes last: cut short, it is all done
 * again.
 */
static enum dstack_status
anchor_restored(struct vol *v, struct why *why)
{
	static const uint8_t none[VOLUME_BLOCK];
	log_line("the volume comes from a backup: anchoring it as generation "
		 "%llu", (unsigned long long)v->record.generation);
	enum dstack_status st = anchor(v, why);
	if (st != DSTACK_OK)
		return st;
	if (pwrite(v->disk, none, sizeof(none), VOLUME_MARK_AT) !=
		(ssize_t)sizeof(none) ||
	    fsync(v->disk) != 0)
		return why_set(why, DSTACK_E_SYS,
		    "the disk cannot be written: %s", strerror(errno));
	return DSTACK_OK;
}

static enum dstack_status
mount_it(struct vol *v, struct why *why)
{
	/*
	 * Whatever the umask is: the container's runtime, which runs as a
	 * mapped user, has to be able to pass through.
	 */
	(void)mkdir(PATH_RUN, 0711);
	(void)mkdir(PATH_VOLUME, 0711);
	if (chmod(PATH_RUN, 0711) != 0 || chmod(PATH_VOLUME, 0711) != 0)
		return why_set(why, DSTACK_E_SYS, "%s: %s", PATH_RUN,
		    strerror(errno));
	if (v->directory) {
		char from[32];
		(void)mkdirat(FD_DISK, "data", 0755);
		(void)snprintf(
		    from, sizeof(from), "/proc/self/fd/%d/data", FD_DISK);
		if (mount(from, PATH_VOLUME, NULL, MS_BIND, NULL) != 0)
			return why_set(why, DSTACK_E_SYS, "%s: %s", PATH_VOLUME,
			    strerror(errno));
		return DSTACK_OK;
	}
	return volume_disk_open(
	    PATH_DISK, &v->keys, &v->record, PATH_VOLUME, why);
}

/*
 * A larger disk than the record knows of: the record grows, and the file
 * system when it is mounted. What does not grow opens as large as it was.
 */
static void
grow(struct vol *v)
{
	struct why why = { "" };
	const uint64_t from = volume_bytes(&v->record);
	const uint64_t to = volume_grows(&v->record, v->bytes);
	if (v->directory || to == 0)
		return;
	if (volume_disk_grow(PATH_DISK, &v->keys, &v->record, to, &why) !=
	    DSTACK_OK)
		log_line("the volume stays at %llu MB of a disk of %llu: %s",
		    (unsigned long long)(from >> 20),
		    (unsigned long long)(to >> 20), why.text);
	else
		log_line("the volume grows from %llu to %llu MB",
		    (unsigned long long)(from >> 20),
		    (unsigned long long)(to >> 20));
}

static enum dstack_status
open_volume(struct vol *v, struct why *why)
{
	bool found, blank, back;
	struct state_volume on_chain = { 0 };
	enum dstack_status st = read_record(v, &found, &blank, why);
	if (st != DSTACK_OK)
		return st;
	while (later(st = chain_volume(&v->chain, v->id, &on_chain, NULL, why)))
		nap();
	if (st != DSTACK_OK)
		return st;
	switch (volume_judge(found ? &v->record : NULL, blank, v->id,
	    on_chain.generation, on_chain.root, v->bytes, why)) {
	case VOLUME_FORMAT:
		st = format(v, why);
		if (st == DSTACK_OK)
			st = anchor(v, why);
		break;
	case VOLUME_ANCHOR:
		st = anchor(v, why);
		break;
	case VOLUME_OPEN:
		/*
		 * Counted before it is mounted: what the app writes belongs to
		 * the new number.
		 */
		grow(v);
		back = restored(v);
		v->record.generation = volume_next(
		    v->record.generation, on_chain.generation, back);
		st = write_record(v, why);
		if (st == DSTACK_OK && back)
			st = anchor_restored(v, why);
		break;
	case VOLUME_REFUSE:
	default:
		return DSTACK_E_REJECTED;
	}
	return st != DSTACK_OK ? st : mount_it(v, why);
}

/*
 * The secret is here: no disk and no chain may end it. What does not open is
 * looked at again, since a host may have put the right disk in its place.
 */
static void
open_at_last(struct vol *v)
{
	struct why said = { "" };
	for (;;) {
		struct why why = { "" };
		enum dstack_status st = identify(v, &why);
		if (st == DSTACK_OK)
			st = open_volume(v, &why);
		/* The kernel has them now. */
		volume_keys_wipe(&v->keys);
		if (st == DSTACK_OK)
			return;
		/* no app yet is no trouble, and looked at often */
		if (st != DSTACK_E_BUSY &&
		    strcmp(said.text, why.text) != 0) {
			log_line("%s; the app waits for it, all else goes on",
			    why.text);
			said = why;
		}
		for (int i = 0; i < (later(st) ? 1 : AGAIN_SECONDS * 10); i++)
			nap();
	}
}

int
volume_main(void)
{
	struct vol v;
	struct why why = { "" };
	memset(&v, 0, sizeof(v));
	log_name("volume");
	enum dstack_status st = sandbox_enter(ROLE_VOLUME, &why);
	if (st == DSTACK_OK)
		st = open_netcfg(&v, &why);
	if (st == DSTACK_OK)
		st = open_disk(&v, &why);
	if (st == DSTACK_OK) {
		foresee_serve(&v);
		open_at_last(&v);
		ipc_phase("volume");
		ipc_ready();
		return 0;
	}
	if (why.text[0] == '\0')
		(void)why_set(&why, st, "%s", dstack_status_text(st));
	ipc_give_up(&why);
	return 1;
}
