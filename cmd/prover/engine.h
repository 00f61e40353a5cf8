/* engine.h - floor 7: what proves: a process of the command for each worker (prova-plugin(7)), or the mock.
 *
 * The mock needs no process: the sha256 of an input is its proof, as prova-devnet(1) wants it. */
#ifndef PROVA_PROVER_ENGINE_H
#define PROVA_PROVER_ENGINE_H

#include "cmd/prover/core.h"
#include "common/loop.h"

struct engine;

struct engine_opts {
	struct loop	*loop;
	const char	*name;		/* in log lines: "demo" gives "demo.0" */
	const char	*command;
	uint64_t	 types;		/* that may be proved (bits) */
	uint64_t	 call_ms, prove_ms, poll_ms;
	size_t		 line_max;
	bool		 mock;
	uint64_t	 mock_delay_ms;
	unsigned	 mock_fail;	/* of a hundred */
	/* what this worker can prove now, 0: nothing; vks: what the command says of its keys */
	void	(*able)(void *arg, size_t worker, uint64_t types, const char *vks);
	void	(*proved)(void *arg, size_t worker, enum proof_outcome, struct span proof, enum code, const char *why);
	void	*arg;
};

/* What is to be proved.  Borrowed until the call returns. */
struct engine_order {
	const struct record	*record;
	const char		*input;		/* path */
	uint8_t			 sha256[HASH_BYTES];
	uint64_t		 bytes;
	/* it may have been begun before: found by its key, or asked for; where there is no such way, PROOF_NONE */
	bool			 again;
};

struct engine *engine_new(const struct engine_opts *) MUSTCHECK;	/* copies */
void	engine_free(struct engine **);		/* ends the processes; nothing is answered */

/* Make this worker able to prove; able is called in a later turn, and whenever it changes. */
void	engine_open(struct engine *, size_t worker);
/* Ends with one call of proved, in a later turn.  One at a time for each worker. */
void	engine_prove(struct engine *, size_t worker, const struct engine_order *);

#endif
