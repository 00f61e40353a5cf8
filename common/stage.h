/* stage.h - floor 7: the skeleton of every stage.  A stage's main is a table and a call.
 *
 * stage_main: descriptors 0-2, options (-c FILE, -O key=value, -n check settings, -d print them,
 * -v, -V, -h, -I NAME instance; -i - and -o - for filters, --ledger none), settings, lock file
 * RUN/NAME.lock held for life (a second one exits 100), signals, blobs directory, sockets
 * (DEALER to the ledger, PULL inbox bound at ipc://RUN/NAME.inbox, PUSH per inbox offered to),
 * books, start(), sd_notify READY, loop; on SIGTERM what the books still have to say, lose()
 * for each row in hand, BYE, stop(), 0.  (With -n too stop() follows start().)
 * What start() registers with loop_last runs before the books' turn, so that its moves
 * leave at once; what is registered later runs behind it: its moves leave in the next turn.
 * -i - -o - (or, for a generator, -n COUNT -o -) run without lock, sockets and books. */
#ifndef PROVA_STAGE_H
#define PROVA_STAGE_H

#include "common/blob.h"
#include "common/books.h"
#include "common/http.h"
#include "common/loop.h"
#include "common/settings.h"

struct stage;

struct stage_def {
	const char	*kind;		/* "trace-build" */
	const char	*synopsis;	/* what -h prints behind "usage: prova-KIND " */
	/* Settings are read: build the stage's own state (stage_set_own).  0, or an exit
	 * status after having said why.  With -n it is called too, and must open nothing outside. */
	int		(*start)(struct stage *);
	void		(*stop)(struct stage *);		/* may be NULL: free own state */
	/* as in books.h; arg is the struct stage * */
	void		(*act)(struct stage *, struct held *);
	void		(*lose)(struct stage *, struct held *);
	void		(*answer)(struct stage *, uint64_t token, uint64_t code, const struct row *first);
	void		(*levels)(struct stage *, struct tick *);
	void		(*news)(struct stage *, const struct news *);
	void		(*reset)(struct stage *);
	/* Filter mode (-i - -o - with --ledger none): one row in, stage_emit rows out, then
	 * stage_filtered when this one is through (may be later).  NULL: no filter. */
	void		(*filter)(struct stage *, struct row *);	/* row is owned by the stage: free() */
	/* Filter mode without input (task-fetch -n COUNT ... -o -): begin making rows; stage_filtered
	 * for each of the count. */
	void		(*generate)(struct stage *, uint64_t count);
};

int	stage_main(const struct stage_def *, int argc, char **argv);

void	stage_set_own(struct stage *, void *own);
void	*stage_own(struct stage *);
struct loop *stage_loop(struct stage *);
struct books *stage_books(struct stage *);	/* NULL in filter mode and with -n */
struct settings *stage_settings(struct stage *);
struct blobs *stage_blobs(struct stage *);	/* NULL with -n; opened at first use in filter mode */
struct http *stage_http(struct stage *);	/* made at first use; NULL with -n */
const char *stage_name(const struct stage *);	/* the instance: "dispatch-exec.gpu1" */
const char *stage_suffix(const struct stage *);	/* "gpu1"; "" when there is none */
bool	stage_checking(const struct stage *);	/* -n */
const char *stage_state_dir(struct stage *);	/* STATE/NAME, made 0700 */
/* Settings of this stage: section "stage", name = instance (falls back to kind). */
const char *stage_text(struct stage *, const char *key);
uint64_t stage_num(struct stage *, const char *key);
/* Filter mode. */
void	stage_emit(struct stage *, const struct row *);
void	stage_filtered(struct stage *);

#endif
