# prova.bats - the operator's front, against a whole pipeline with a devnet, and without one.
load helper

# devnet with so many chunks, then run_dir with it
devnet() {
	spawn devnet prova-devnet --listen 127.0.0.1:0 --l2-listen 127.0.0.1:0 --ports ports --seed 7 "$@"
	wait_for grep -q L2= ports
	# shellcheck disable=SC1091 # written by devnet
	. ./ports
	COORDINATOR_URL=http://127.0.0.1:$COORDINATOR L2_URL=http://127.0.0.1:$L2 run_dir
}

stages() {
	local stage
	for stage; do
		case $stage in
		ledger) spawn ledger prova-ledger -c "$CONF" ;;
		*) spawn "$stage" "prova-${stage%%.*}" -c "$CONF" -I "$stage" ;;
		esac
	done
}

prova() { command prova -c "$CONF" "$@"; }
line_is() { [ "$(prova status | head -n 1)" = "$1" ]; }
line_has() { prova status | head -n 1 | grep -qF -- "$1"; }
submitted() { [ "$(prova jobs -s submitted -n 100 | grep -c submitted)" -ge "$1" ]; }

@test "called wrongly: 100 and the usage" {
	run_dir
	for call in "" "nonsense" "job" "job 1 2 3 4 5" "jobs --nonsense" "jobs -n 0" "jobs extra" "status -x" "ledger" "keys nobody"; do
		# shellcheck disable=SC2086 # words
		run -100 prova $call
		assert_output --partial "usage: prova "
	done
}

@test "without a ledger: 111, at once, and what to do" {
	run_dir
	for call in "status" "jobs" "job 1" "explain 1" "ledger check"; do
		# shellcheck disable=SC2086 # words
		run -111 prova $call
		assert_output --partial "ledger-away: The ledger does not answer.  Start prova-ledger"
	done
}

@test "status says in its first line why nothing happens" {
	devnet --chunks 1 --collection 600
	stages ledger
	wait_for line_is "no prova-task-fetch was ever heard: start one"
	stages task-fetch allocate submit
	wait_for line_is "no prova-trace-build was ever heard: start one"
	stages trace-build
	wait_for line_is "no prova-dispatch-PROVIDER was ever heard: start one"
	stages dispatch-exec.one
	wait_for submitted 1
	wait_for line_has "nothing to do"
	stop submit KILL || :
	wait_for line_has "submit is not heard for"
	run -0 prova status --json
	echo "$output" | jq -e '.term == 1 and (.instances | length) == 5'
}

@test "status names a silent dispatcher while another lives, until the settings do not ask for it" {
	run_dir
	printf '[provider two]\ncommand = %s\n' "$ROOT/pipelines/plugins/sha-prover" >>"$CONF"
	stages ledger task-fetch trace-build allocate submit dispatch-exec.one dispatch-exec.two
	all_alive() { prova status --json | jq -e '[.instances[] | select(.alive)] | length == 6'; }
	wait_for all_alive
	run -0 prova status
	refute_line --index 0 --partial "is not heard for"
	kill -STOP "${PIDS[dispatch-exec.two]}"
	wait_for line_has "dispatch-exec.two is not heard for"
	sed -i '/^\[provider two\]/,$d' "$CONF"
	run -0 prova status
	refute_line --index 0 --partial "is not heard for"
	assert_output --partial "dispatch-exec.two"
}

@test "one job's story: rows, times, codes, money" {
	devnet --chunks 2 --collection 600
	stages ledger task-fetch trace-build allocate submit dispatch-exec.one
	wait_for submitted 2
	run -0 prova jobs -t chunk -n 1
	assert_line --index 1 --regexp '^ +2  submitted  chunk  test '
	assert_equal "${#lines[@]}" 2
	run -0 prova jobs -s queued
	assert_equal "${#lines[@]}" 1
	run -111 prova jobs -s nonsense
	assert_output --partial "jobs have no such state"
	run -0 prova job 1
	assert_line "job 1, submitted"
	assert_line --regexp '^  price +0\.25$'
	uuid=$(prova job 1 --json | jq -r .job.uuid)
	run -0 prova explain "$uuid"
	assert_line --regexp 'job 1 +- -> fetched +by task-fetch$'
	assert_line --regexp 'attempt [12] +allocated -> sending +by dispatch-exec\.one$'
	assert_line --regexp 'job 1 +submitting -> submitted +by submit$'
	assert_line --regexp 'owed:one +0\.25 '
	run -0 prova explain 1 --json
	echo "$output" | jq -e '.job.state == "submitted" and ([.entries[].micro] | add) == 0'
	run -1 prova explain 999
	assert_output --partial "there is no such job"
	run -1 prova job no-such-uuid
}

@test "a failure is told with its code's sentence and advice" {
	devnet --chunks 1 --collection 600
	export BAD_PROVER=refuse
	sed -i "s|^command = .*|command = $ROOT/pipelines/plugins/bad-prover|" "$CONF"
	stages ledger task-fetch trace-build allocate submit dispatch-exec.one
	wait_for prova job 1
	failed() { prova explain 1 | grep -q -- '-> failed'; }
	wait_for failed
	run -0 prova explain 1
	assert_line --partial "prover-failed: The prover says that it cannot prove this."
}

@test "ledger check: by the ledger, from the file, and of a damaged one" {
	devnet --chunks 1 --collection 600
	stages ledger task-fetch trace-build allocate submit dispatch-exec.one
	wait_for submitted 1
	run -0 prova ledger check
	assert_output --regexp '^ok: [0-9]+ rows, .* 0 faults$'
	run -0 prova ledger check --offline
	assert_output --regexp '^ok: '
	run -0 prova ledger check --json
	echo "$output" | jq -e .ok
	stop_all
	run -111 prova ledger check
	run -0 prova ledger check --offline --json
	echo "$output" | jq -e .ok
	body=$(prova ledger check --offline --json | jq .checked.blobs)
	[ "$body" -gt 0 ]
	find blobs -type f -delete
	run -1 prova ledger check --offline
	assert_output --partial "is missing"
	assert_line --regexp '^FAULTY: '
}

@test "keys: the same as the Coordinator was shown; 111 where there is no seed" {
	run_dir
	run -111 prova keys
	assert_output --partial "state/task-fetch/seed: No such file"
	mkdir -m 700 state/task-fetch
	(umask 077 && printf '%064d\n' 7 >state/task-fetch/seed)
	run -0 prova keys test
	assert_equal "${#lines[@]}" 4
	assert_line --index 3 --regexp '^test 3 0[23][0-9a-f]{64}$'
	first=$output
	run -0 prova keys
	assert_output "$first"
	chmod 644 state/task-fetch/seed
	run -111 prova keys
	assert_output --partial "open to others"
}

@test "check: the settings as each stage judges them" {
	run_dir
	run -0 prova check
	assert_line "ok    settings of dispatch-exec.one: fine"
	assert_line "6 are well, 0 are not"
	sed -i '/^verify = none/d' "$CONF"
	run -1 prova check
	assert_line --regexp '^FAIL  settings of submit: .*no-verifier'
}

@test "check: nonsense in the settings is refused with file and line" {
	run_dir
	line=$(grep -n '^url = ' "$CONF" | cut -d : -f 1)
	cp "$CONF" fine
	for bad in 's/^url = .*/url =/' 's/^url = .*/url = htp:foo/'; do
		sed -e "$bad" fine >"$CONF"
		run -100 prova check
		assert_output --partial "$CONF:$line: setting: url "
	done
	cp fine "$CONF"
	run -100 prova -O l2:test.urls=http:// check
	assert_output --partial "urls = http://: write URLs"
	run -100 prova-submit -n -c "$CONF" -O prova.ledger=foo
	assert_output --partial "ledger = foo: write ipc://PATH or tcp://HOST:PORT"
}

@test "check --online: Coordinator, L2 node, plug-ins, disks; each fault on its line" {
	devnet --chunks 1
	run -0 prova check --online
	assert_line --regexp '^ok    coordinator test: a new key .there is no seed yet. signed in'
	assert_line --regexp '^ok    l2 test, http://[0-9.:]+: block 0x[0-9a-f]+ traced'
	assert_line --regexp '^ok    provider one: answers; it knows prove'
	assert_line --regexp '^ok    blobs_dir: blobs: 4 kB are durable'
	assert_line --regexp '^ok    store: state/ledger: 4 kB are durable'
	refute_line --regexp '^FAIL'
	sed -i -e 's|^command = .*|command = /no/such/prover|' -e 's|^urls = .*|urls = http://127.0.0.1:1|' -e 's|^blobs_dir = .*|blobs_dir = nowhere|' "$CONF"
	run -1 prova check --online
	assert_line --regexp '^FAIL  provider one: plugin-start: '
	assert_line --regexp '^FAIL  l2 test, http://127.0.0.1:1: eth_blockNumber: '
	assert_line --regexp '^FAIL  blobs_dir: nowhere: No such file'
	run -1 prova -O chain:test.verify=/nonexist/v check --online
	assert_line --regexp '^FAIL  verify_chunk of chain test: plugin-start: .*verify in \[chain\]'
}
