/* sweep.c - is a blob there, and which may go.  See sweep.h.
 *
 * A sweep: a thread lists what is old enough (sorted), the loop's thread strikes out what rows
 * name, then deletes a few in each turn.  A row that begins to name one meanwhile goes through
 * sweep_have, which strikes it out, too; a blob that was written again meanwhile is young,
 * which is looked at right before it is deleted. */
#include "cmd/ledger/sweep.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/diag.h"

enum {
	EVERY_MS	= 60 * 1000,
	STEP		= 16,		/* blobs deleted in one turn */
	KNOWN		= 4096,		/* blobs remembered as being there */
};

struct candidate {
	uint8_t	hash[HASH_BYTES];	/* first: they are sorted by it */
	bool	named;
};

/* What the thread fills; the loop's thread reads it when `done`. */
struct walk {
	struct blobs		*blobs;
	uint64_t		 older_ms;
	struct candidate	*found;
	size_t			 n, cap;
	uint64_t		 temporary;
	int			 error;
	atomic_bool		 done;
};

struct sweep {
	struct blobs		*blobs;
	uint64_t		 grace_ms, next_ms;
	uint64_t		 outage_ms, well_ms;	/* the last outage: its beginning, its end; 0: it lasts */
	bool			 began;			/* outage_ms is known: the ledger did not just start */
	bool			 walking;
	bool			 stale;			/* an outage began behind its beginning: it deletes nothing */
	pthread_t		 thread;
	struct walk		 walk;
	size_t			 at;			/* the next candidate */
	struct sweep_count	 count, before;
	uint8_t			 known[KNOWN][HASH_BYTES];
};

/* --- what is there --- */

static uint8_t *
known_place(struct sweep *s, const uint8_t hash[HASH_BYTES])
{
	return s->known[(hash[0] | hash[1] << 8) % KNOWN];
}

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, HASH_BYTES);
}

static struct candidate *
candidate_of(struct sweep *s, const uint8_t hash[HASH_BYTES])
{
	if (s->walking || s->walk.n == 0)
		return NULL;
	return bsearch(hash, s->walk.found, s->walk.n, sizeof *s->walk.found, compare);
}

static void
spare(struct sweep *s, const uint8_t hash[HASH_BYTES])
{
	struct candidate *c = candidate_of(s, hash);

	if (c)
		c->named = true;
}

bool
sweep_have(struct sweep *s, const uint8_t hash[HASH_BYTES])
{
	uint8_t *place = known_place(s, hash);
	uint64_t bytes;

	spare(s, hash);
	if (memcmp(place, hash, HASH_BYTES) == 0)
		return true;
	if (!blob_have(s->blobs, hash, &bytes))
		return false;
	memcpy(place, hash, HASH_BYTES);
	return true;
}

/* --- the thread --- */

static void
found(void *arg, const uint8_t *hash, const char *path, uint64_t bytes)
{
	struct walk *w = arg;

	if (!hash) {
		w->temporary += unlink(path) == 0;
		return;
	}
	if (w->n == w->cap) {
		w->cap = w->cap ? 2 * w->cap : 256;
		w->found = xrealloc(w->found, w->cap * sizeof *w->found);
	}
	struct candidate *c = &w->found[w->n++];
	memcpy(c->hash, hash, HASH_BYTES);
	c->named = false;
}

static void *
walk_through(void *arg)
{
	struct walk *w = arg;

	if (blob_each(w->blobs, w->older_ms, found, w) != 0)
		w->error = errno;
	if (w->n)
		qsort(w->found, w->n, sizeof *w->found, compare);
	atomic_store(&w->done, true);
	return NULL;
}

/* --- a sweep --- */

/* Outages that are less than a grace apart count as one. */
static void
watch_outages(struct sweep *s, bool trouble, uint64_t now_ms)
{
	if (trouble && s->well_ms) {
		if (now_ms >= s->well_ms + s->grace_ms) {
			s->outage_ms = now_ms;
			s->began = true;
		}
		s->well_ms = 0;
		s->stale = true;
	} else if (!trouble && !s->well_ms) {
		s->well_ms = now_ms;
	}
}

/* How old a blob must be now; 0: none is old enough. */
static uint64_t
age_needed(const struct sweep *s, uint64_t now_ms)
{
	bool recent = !s->well_ms || now_ms < s->well_ms + s->grace_ms;

	if (!recent)
		return s->grace_ms;
	if (!s->began)
		return 0;
	return s->grace_ms + (s->well_ms ? s->well_ms : now_ms) - s->outage_ms;
}

static void
begin(struct sweep *s, uint64_t now_ms)
{
	uint64_t older_ms = age_needed(s, now_ms);

	s->next_ms = now_ms + MIN2(s->grace_ms, EVERY_MS);
	if (!older_ms)
		return;
	s->stale = false;
	s->walk = (struct walk){ .blobs = s->blobs, .older_ms = older_ms };
	int error = pthread_create(&s->thread, NULL, walk_through, &s->walk);
	s->walking = error == 0;
	if (error)
		diag(DIAG_WARN, "sweep-failed", "why=%s", diag_quote(strerror(error)));
}

static void
name_one(void *arg, const uint8_t hash[HASH_BYTES], bool input)
{
	spare(arg, hash);
}

/* From the end of the walk on s->walk is ours. */
static void
check_names(struct sweep *s, struct core *core)
{
	pthread_join(s->thread, NULL);
	s->walking = false;
	s->at = 0;
	s->before = s->count;
	s->count.sweeps++;
	s->count.temporary += s->walk.temporary;
	if (s->walk.error)
		diag(DIAG_WARN, "sweep-failed", "dir=%s why=%s", diag_quote(blob_dir(s->blobs)),
		    diag_quote(strerror(s->walk.error)));
	core_blobs(core, name_one, s);
}

static void
delete_one(struct sweep *s, const struct candidate *c)
{
	struct stat st;

	if (c->named || stat(blob_path(s->blobs, c->hash), &st) != 0)
		return;
	uint64_t written_ms = (uint64_t)st.st_mtim.tv_sec * 1000 + (uint64_t)st.st_mtim.tv_nsec / 1000000;
	if (written_ms + s->walk.older_ms > clock_wall_ms())
		return;
	if (blob_delete(s->blobs, c->hash) != 0)
		return;
	s->count.blobs++;
	s->count.bytes += (uint64_t)st.st_size;
	uint8_t *place = known_place(s, c->hash);
	if (memcmp(place, c->hash, HASH_BYTES) == 0)
		place[0] ^= 0xff;	/* such a hash has its place elsewhere */
}

static void
end(struct sweep *s)
{
	uint64_t blobs = s->count.blobs - s->before.blobs, temporary = s->count.temporary - s->before.temporary;

	if (blobs || temporary)
		diag(DIAG_INFO, "swept", "blobs=%" PRIu64 " bytes=%" PRIu64 " temporary=%" PRIu64, blobs,
		    s->count.bytes - s->before.bytes, temporary);
	free(s->walk.found);
	s->walk = (struct walk){ 0 };
}

bool
sweep_turn(struct sweep *s, struct core *core, uint64_t now_ms)
{
	watch_outages(s, core_in_trouble(core), now_ms);
	if (s->walking && atomic_load(&s->walk.done))
		check_names(s, core);
	if (s->walking)
		return false;
	if (s->stale)
		s->at = s->walk.n;
	for (size_t k = 0; k < STEP && s->at < s->walk.n; k++)
		delete_one(s, &s->walk.found[s->at++]);
	if (s->at < s->walk.n)
		return true;
	if (atomic_load(&s->walk.done))
		end(s);
	if (now_ms >= s->next_ms)
		begin(s, now_ms);
	return false;
}

struct sweep_count
sweep_counted(const struct sweep *s)
{
	return s->count;
}

struct sweep *
sweep_new(struct blobs *blobs, uint64_t grace_ms)
{
	struct sweep *s = xzalloc(sizeof *s);

	s->blobs = blobs;
	s->grace_ms = grace_ms;
	s->known[0][0] = 0xff;		/* all others can belong to no hash as they are */
	return s;
}

void
sweep_free(struct sweep **sp)
{
	struct sweep *s = *sp;

	if (!s)
		return;
	if (s->walking)
		pthread_join(s->thread, NULL);
	free(s->walk.found);
	free(s);
	*sp = NULL;
}
