#!/usr/bin/env bats
# faults.bats - the whole pipeline while Coordinator and L2 node do, now and then, one thing wrong: every task
# is proved and accepted all the same, none lost, none bought twice.
# shellcheck disable=SC2034 # variables of helper
load helper
load world

# through FAULT OPTION...: all tasks get through it; each fault was done at least once
through() {
	export SHA_PROVER_LOG=$PWD/proved
	: >proved
	devnet --chunks 8 --batches 2 --bundles 1 --attempts 100 --collection "${COLLECTION:-180}" "$@"
	IDENTITIES=6 SLOTS=6 run_dir
	cat >>"$CONF" <<-CONF

	[chain test]
	collection_chunk = ${COLLECTION:-180}s
	collection_batch = ${COLLECTION:-180}s
	collection_bundle = ${COLLECTION:-180}s

	[coordinator test]
	timeout = 2s

	[l2 test]
	timeout = 2s
	CONF
	for name in task-fetch trace-build allocate dispatch-exec.one submit; do
		spawn "$name" "prova-${name%%.*}" -c "$CONF" -I "$name"
	done
	spawn ledger prova-ledger -c "$CONF"
	wait_for -s 120 all_verified
	wait_for -s 60 jobs_over
	assert_equal "$(stats '[.faults[] | select(. == 0)] | length')" 0
	# each work is proved once, whatever was posted how often
	assert_equal "$(sort proved | uniq -d)" ""
	assert_equal "$(store "SELECT count(*) FROM work")" 11
	assert_equal "$(store "SELECT count(*) FROM attempt")" 11
	# what was said to be refused was never a proof of ours
	assert_equal "$(store "SELECT count(*) FROM job WHERE code IN (116, 117)")" 0
}

@test "latency" {
	through --fault all:delay=0.4:0.3
}

@test "HTTP 5xx" {
	through --fault all:status=503:0.2 --fault all:status:0.1
}

@test "dropped connections" {
	through --fault all:drop:0.3
}

@test "garbage in place of answers" {
	through --fault all:garbage:0.2
}

@test "answers that get lost when the thing asked for is done" {
	through --fault challenge:lost:0.3 --fault login:lost:0.3 --fault submit_proof:lost:0.3 --fault l2:lost:0.2
}

@test "half answers" {
	through --fault challenge:half:0.3 --fault login:half:0.3 --fault submit_proof:half:0.3 --fault l2:half:0.2
}

@test "tasks whose answer got lost are fetched again after their collection time" {
	COLLECTION=5 through --fault get_task:lost:0.1 --fault get_task:half:0.1
}

@test "expired tokens" {
	through --fault get_task:expired:0.3 --fault submit_proof:expired:0.3
}

@test "20002 and a data base that is away" {
	through --fault get_task:internal:0.3 --fault submit_proof:internal:0.3
}

@test "wrong traces" {
	through --fault l2:wrong-block:0.2 --fault l2:null:0.2 --fault l2:error:0.2
}

@test "a little of everything" {
	COLLECTION=5 through --seed 9 --fault all:delay=0.1:0.3 --fault all:drop:0.04 --fault all:lost:0.03 --fault all:half:0.03 \
		--fault all:status:0.04 --fault all:garbage:0.04 --fault all:expired:0.1 --fault all:internal:0.1 --fault l2:wrong-block:0.1
}
