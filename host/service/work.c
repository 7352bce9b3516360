/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads for what may wait, beside an event loop that must not. A job has two
 * halves: run, in some thread, and done, in the loop; so whatever touches
 * connections needs no lock. An eventfd wakes the loop. At the end jobs that
 * run are waited for, and those that never ran get their done all the same, so
 * that everybody is answered and freed.
 */
#include "host/service/work.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include <event2/event.h>

#define THREADS_MAX 32u

struct job {
	STAILQ_ENTRY(job) link;
	void (*run)(void *);
	void (*done)(void *);
	void *arg;
};
STAILQ_HEAD(job_list, job);

struct work_pool {
	pthread_mutex_t lock;
	pthread_cond_t some;
	struct job_list todo;
	struct job_list finished;
	unsigned queued;
	unsigned queue_max;
	bool stop;
	unsigned threads;
	pthread_t thread[THREADS_MAX];
	int efd;
	struct event *ev;
};

static void *
worker(void *arg)
{
	struct work_pool *p = arg;
	const uint64_t one = 1;

	(void)pthread_mutex_lock(&p->lock);
	for (;;) {
		struct job *j = STAILQ_FIRST(&p->todo);
		if (p->stop)
			break;
		if (j == NULL) {
			(void)pthread_cond_wait(&p->some, &p->lock);
			continue;
		}
		STAILQ_REMOVE_HEAD(&p->todo, link);
		p->queued--;
		(void)pthread_mutex_unlock(&p->lock);
		j->run(j->arg);
		(void)pthread_mutex_lock(&p->lock);
		STAILQ_INSERT_TAIL(&p->finished, j, link);
		if (write(p->efd, &one, sizeof(one)) != (ssize_t)sizeof(one))
			continue; /* counter full: the loop is awake anyway */
	}
	(void)pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void
finish(struct work_pool *p)
{
	for (;;) {
		(void)pthread_mutex_lock(&p->lock);
		struct job *j = STAILQ_FIRST(&p->finished);
		if (j != NULL)
			STAILQ_REMOVE_HEAD(&p->finished, link);
		(void)pthread_mutex_unlock(&p->lock);
		if (j == NULL)
			return;
		j->done(j->arg);
		free(j);
	}
}

static void
on_finished(evutil_socket_t fd, short what, void *arg)
{
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof(n)) >= 0)
		finish(arg);
}

enum dstack_status
work_new(struct event_base *base, unsigned threads, unsigned queue_max,
    struct work_pool **out)
{
	struct work_pool *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return DSTACK_E_NOMEM;
	STAILQ_INIT(&p->todo);
	STAILQ_INIT(&p->finished);
	p->queue_max = queue_max;
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->some, NULL);
	p->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	p->ev = p->efd < 0 ? NULL
			   : event_new(base, p->efd, EV_READ | EV_PERSIST,
				 on_finished, p);
	bool ok = p->ev != NULL && event_add(p->ev, NULL) == 0;
	while (ok && p->threads < threads && p->threads < THREADS_MAX) {
		ok = pthread_create(&p->thread[p->threads], NULL, worker,
		         p) == 0;
		if (ok)
			p->threads++;
	}
	if (!ok) {
		work_free(p);
		return DSTACK_E_SYS;
	}
	*out = p;
	return DSTACK_OK;
}

bool
work_submit(struct work_pool *p, void (*run)(void *job),
    void (*done)(void *job), void *job)
{
	struct job *j = malloc(sizeof(*j));
	bool taken;

	if (j == NULL)
		return false;
	j->run = run;
	j->done = done;
	j->arg = job;
	(void)pthread_mutex_lock(&p->lock);
	/*
	 * The bound is on what waits: whoever comes beyond it is told to come
	 * back.
	 */
	taken = p->queued < p->queue_max && !p->stop;
	if (taken) {
		STAILQ_INSERT_TAIL(&p->todo, j, link);
		p->queued++;
		(void)pthread_cond_signal(&p->some);
	}
	(void)pthread_mutex_unlock(&p->lock);
	if (!taken)
		free(j);
	return taken;
}

void
work_free(struct work_pool *p)
{
	if (p == NULL)
		return;
	(void)pthread_mutex_lock(&p->lock);
	p->stop = true;
	(void)pthread_cond_broadcast(&p->some);
	(void)pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->threads; i++)
		(void)pthread_join(p->thread[i], NULL);
	finish(p);
	/* Never run: their done sees that there is no answer. */
	STAILQ_CONCAT(&p->finished, &p->todo);
	finish(p);
	if (p->ev != NULL)
		event_free(p->ev);
	if (p->efd >= 0)
		(void)close(p->efd);
	(void)pthread_cond_destroy(&p->some);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
}
