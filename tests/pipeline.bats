# pipeline.bats - the whole pipeline against the devnet: the demonstration, several at once, filters.
# shellcheck disable=SC2034,SC2153,SC2154,SC2030,SC2031 # variables of helper and bats; a test's exports are its own
load helper
load world

demo() { PROVA_BIN=$PROVA_BUILD/bin "$ROOT/pipelines/demo" --keep demo "$@" 3>&-; }

# start INSTANCE...: the stages, each a process
start() {
	local name
	for name; do
		if [ "$name" = ledger ]; then
			spawn ledger prova-ledger -c "$CONF"
		else
			spawn "$name" "prova-${name%%.*}" -c "$CONF" -I "$name"
		fi
	done
}

check_books() {
	run -0 prova-ledger -c "$CONF" -C
	run -0 jq -r .ok <<<"$output"
	assert_output true
}

@test "the demonstration: every task accepted, none lost, none bought twice" {
	run -0 demo
	assert_equal "${lines[-1]}" "demo: 32 tasks, 32 accepted, 0 lost, 0 bought twice"
	assert_line --regexp '^chunk +24 +24 +24 +24$'
	assert_line --regexp '^own +[0-9]+ +[0-9]+ +[0-9.]+$'
	assert_line --regexp '^market +[0-9]+ +[0-9]+ +[0-9.]+$'
	assert_line --regexp '^farm +[0-9]+ +[0-9]+ +[0-9.]+$'
	assert_line --regexp '^both +[0-9]+ ms +[0-9]+ ms$'
	CONF=demo/prova.conf check_books
}

@test "real traces and batches reach the prover byte for byte" {
	fixture task >/dev/null
	run -0 demo --fixtures "$PROVA_FIXTURES"
	assert_equal "${lines[-1]}" "demo: 5 tasks, 5 accepted, 0 lost, 0 bought twice"
	assert_equal "$(grep -c '= what the prover received$' <<<"$output")" 5
	CONF=demo/prova.conf check_books
}

@test "a task that two identities hold is bought once, and both jobs are posted" {
	run -0 demo --same-task-twice --tasks 4
	assert_equal "${lines[-1]}" "demo: 4 tasks, 4 accepted, 0 lost, 0 bought twice"
	assert_line --regexp '^two jobs: [1-4] works; jobs by outcome: [5-8] submitted$'
	CONF=demo/prova.conf check_books
}

@test "the demonstration says what is wrong with its call" {
	run -100 demo --frobnicate
	run -100 demo --tasks many
	run -100 demo --fixtures
	assert_not_exist demo
}

@test "the demonstration looks at what it was given before it builds or makes anything" {
	mkdir -p tree/pipelines fixtures/{trace,task} taken
	cp "$ROOT/pipelines/demo" tree/pipelines/
	printf '%s\n' '#!/bin/sh' "touch '$PWD/setup.ran'" 'exit 1' >tree/pipelines/setup
	chmod +x tree/pipelines/setup
	wrong_call() {	# its sentence, its arguments
		run -100 env -u PROVA_BIN TMPDIR="$PWD/tmp" tree/pipelines/demo "${@:2}"
		assert_line --index 0 "demo: $1"
		assert_line --index 1 --partial "usage: demo "
		assert_not_exist setup.ran
	}
	mkdir tmp
	wrong_call "--fixtures /nonexist: not a directory" --fixtures /nonexist
	wrong_call "--fixtures tree/pipelines/demo: not a directory" --fixtures tree/pipelines/demo
	first=trace/sp_b3_chunk10_block_528.json
	wrong_call "--fixtures fixtures: there is no $first in it that can be read" --fixtures fixtures
	touch fixtures/trace/sp_{b3_chunk10_block_{528,529,530},b24_chunk115_block_2642,b495_block_8806}.json
	touch fixtures/task/coordinator_dump_batch_task_69767.json
	last=task/darwinV2_batch_task_v4_blob.json
	wrong_call "--fixtures fixtures: there is no $last in it that can be read" --fixtures fixtures
	wrong_call "--keep taken: is there already" --keep taken
	touch fixtures/$last
	# all is there: now it would build
	run -111 env -u PROVA_BIN tree/pipelines/demo --fixtures fixtures
	assert_exist setup.ran
	run -0 ls -A tmp
	assert_output ""
}

@test "the demonstration runs in one mode at a time" {
	for modes in "--kill --fixtures $PWD" "--fixtures $PWD --kill" "--same-task-twice --kill" "--fixtures $PWD --same-task-twice"; do
		# shellcheck disable=SC2086
		run -100 demo $modes
		assert_line --index 0 "demo: only one of --fixtures, --kill and --same-task-twice is possible"
		assert_not_exist demo
	done
}

@test "demo and run tell their usage on standard output" {
	for script in demo run; do
		run -0 --separate-stderr "$ROOT/pipelines/$script" -h
		assert_regex "$output" "^usage: $script \[-h\] "
		assert_equal "${#lines[@]}:$stderr" "1:"
		usage=$output
		run -100 --separate-stderr "$ROOT/pipelines/$script" -x
		assert_regex "$stderr" "no such option"
		assert_equal "${stderr_lines[-1]}" "$usage"
		assert_output ""
	done
}

@test "three trace-builds and two dispatchers of one provider do nothing twice" {
	export SHA_PROVER_LOG=$PWD/proved
	: >proved
	devnet --chunks 30 --batches 6 --bundles 2
	IDENTITIES=16 SLOTS=4 run_dir
	start ledger task-fetch trace-build.1 trace-build.2 trace-build.3 allocate dispatch-exec.one.1 dispatch-exec.one.2 submit
	wait_for -s 60 all_verified
	wait_for jobs_over
	stop_stages
	assert_equal "$(wc -l <proved)" 38
	assert_equal "$(sort -u proved | wc -l)" 38
	assert_equal "$(stats .assigned_total) $(stats .accepted_total) $(stats '.refused | length')" "38 38 0"
	assert_equal "$(store "SELECT count(*), sum(posts) FROM job")" "38|38"
	assert_equal "$(store "SELECT count(*) FROM attempt")" 38
	# all took part
	assert_equal "$(store "SELECT count(DISTINCT instance) FROM history WHERE kind=2 AND after=2")" 3
	assert_equal "$(store "SELECT count(DISTINCT instance) FROM history WHERE kind=3 AND after=2")" 2
	check_books
}

# answers.sed changes what the verifier says, for as long as it is there
@test "a verifier whose verdict is none condemns nobody: the proofs are judged when it has come to its senses" {
	export SHA_PROVER_LOG=$PWD/proved
	: >proved
	cat >verifier <<-'END'
	#!/bin/sh
	"$SHA_PROVER" | while read -r line; do
		if [ -f answers.sed ]; then echo "$line" | sed -f answers.sed; else echo "$line"; fi
	done
	END
	chmod +x verifier
	devnet --chunks 4 --batches 0 --bundles 0
	SLOTS=4 run_dir
	sed -i "s|^verify = none|verify = $PWD/verifier|" "$CONF"
	export SHA_PROVER=$ROOT/pipelines/plugins/sha-prover
	echo 's/"valid":true/"valid":"true"/' >answers.sed
	start ledger task-fetch trace-build allocate dispatch-exec.one submit
	senseless() { [ "$(grep -c 'plugin-garbage' submit.err)" -ge "$1" ]; }
	wait_for senseless 4
	for verdict in 1 '{}' null; do
		echo "s/\"valid\":true/\"valid\":$verdict/" >answers.sed
		wait_for senseless $(($(grep -c 'plugin-garbage' submit.err) + 4))
	done
	assert_equal "$(store "SELECT count(*) FROM attempt WHERE state=33")" 0
	rm answers.sed
	wait_for -s 60 all_verified
	wait_for jobs_over
	stop_stages
	assert_equal "$(sort -u proved | wc -l) $(wc -l <proved)" "4 4"
	check_books
}

# Ends the stages, then the ledger; the devnet goes on.
stop_stages() {
	local name
	for name in "${!PIDS[@]}"; do
		case $name in devnet* | ledger) ;; *) stop "$name" ;; esac
	done
	stop ledger
}

# Two chunks, and two batches that need none; prices decide by type.
allocation_conf() {
	IDENTITIES=4 SLOTS=8 run_dir
	cat >>"$CONF" <<-CONF

	[chain test]
	chooser = cheapest

	[provider one]
	price_batch = 3

	[provider two]
	command = $ROOT/pipelines/plugins/sha-prover
	slots = 8
	price_chunk = 2
	price_batch = 1
	CONF
}

@test "filters compose, and the same tasks over sockets are allocated in the same way" {
	DEVNET=devnet1 devnet --chunks 2 --batches 4 --bundles 0
	allocation_conf
	prova-task-fetch -c "$CONF" -n 4 -o - --ledger none | tee fetched |
		prova-trace-build -c "$CONF" -i - -o - --ledger none | tee built |
		prova-allocate -c "$CONF" -i - -o - --ledger none >allocated
	run -0 jq -r .state fetched built allocated
	assert_output "$(printf '%s\n' fetched{,,,} ready{,,,} placed{,,,})"
	run -0 jq -s 'map(.type) | sort | unique' -c allocated
	assert_output '["batch","chunk"]'
	jq -r '"\(.task) \(.provider)"' allocated | sort >by_filters
	run -0 jq -r .provider allocated
	assert_equal "$(sort <<<"$output")" "$(printf '%s\n' one one two two)"

	mv state state.filters
	DEVNET=devnet2 devnet --chunks 2 --batches 4 --bundles 0
	allocation_conf
	start ledger task-fetch trace-build allocate dispatch-exec.one dispatch-exec.two submit
	wait_for -s 60 all_verified
	wait_for jobs_over
	stop_stages
	store "SELECT w.task || ' ' || a.provider FROM attempt a JOIN work w ON w.id=a.work" | sort >by_sockets
	run -0 join -o 1.1,2.2 by_filters by_sockets
	assert_output "$(cat by_filters)"
	check_books
}

# all that is not over is kept to be posted, and was posted in vain
only_posts_left() { [ "$(store "SELECT count(*) FROM job WHERE state < 5 OR state = 5 AND posts < 2")" = 0 ]; }
posts_left() { store "SELECT count(*) FROM job JOIN attempt USING (work) WHERE job.state = 5 AND attempt.state = 5"; }
all_ordered() { [ "$(wc -l <orders)" = "$1" ]; }

@test "the Coordinator is away while proofs finish: they are kept, and all arrive" {
	export SHA_PROVER_LOG=$PWD/orders QUEUE_PROVER_SECONDS=3
	: >orders
	devnet --chunks 8 --batches 0 --bundles 0 --collection $((120 + AWAY_SECONDS))
	PROVER=$ROOT/pipelines/plugins/queue-prover run_dir
	cat >>"$CONF" <<-CONF

	[chain test]
	collection_chunk = $((180 + AWAY_SECONDS))s

	[coordinator test]
	timeout = 300ms
	CONF
	start ledger task-fetch trace-build allocate dispatch-exec.one submit
	# the second task of each identity: submit is signed in as all of them
	wait_for all_ordered 8
	since=$SECONDS
	kill -STOP "${PIDS[devnet]}"
	wait_for only_posts_left
	left=$(posts_left)
	[ "$left" -gt 0 ]
	stay_away "$since"
	assert_equal "$(posts_left)" "$left"
	kill -CONT "${PIDS[devnet]}"
	wait_for all_verified
	wait_for jobs_over
	wait_for logged submit event=posts-taken-again
	assert_equal "$(stats .accepted_total)" 8
	assert_equal "$(store "SELECT count(*) FROM job WHERE state = 32")" 8
	assert_equal "$(store "SELECT count(*) FROM attempt WHERE state = 32")" 8
	assert_equal "$(wc -l <orders)" 8
	check_books
}

pid_of() { cat "run/$1.lock"; }
is_new() { [ "$(pid_of "$1")" != "$2" ] && kill -0 "$(pid_of "$1")"; }
none_left() {
	local pid
	for pid; do
		if kill -0 "$pid" 2>/dev/null; then return 1; fi
	done
}

@test "pipelines/run prefixes logs, restarts what dies, and ends all" {
	devnet --chunks 4 --batches 1 --bundles 1
	run_dir
	PROVA_BIN=$PROVA_BUILD/bin spawn run "$ROOT/pipelines/run" -t 2 "$CONF"
	names=(ledger task-fetch trace-build.1 trace-build.2 allocate dispatch-exec.one submit)
	for name in "${names[@]}"; do wait_for grep -q "^$name: t=.* event=started" run.err; done
	assert_regex "$(grep '^run: started' run.err)" "started 7: ${names[*]}"
	wait_for -s 60 all_verified

	before=$(pid_of allocate)
	kill -KILL "$before"
	wait_for is_new allocate "$before"
	assert_regex "$(grep '^run: allocate' run.err)" "allocate ended with status 137: starting it again in 1 s"

	pids=()
	for name in "${names[@]}"; do pids+=("$(pid_of "$name")"); done
	kill -STOP "${pids[3]}"
	stop run
	none_left "${pids[@]}"
	assert_equal "$(grep -c 'event=stopping' run.err)" 7
	check_books
}

@test "pipelines/run leaves nothing behind when it is killed" {
	[ -x /usr/bin/setpriv ] || skip "no setpriv"
	devnet --chunks 1 --batches 0 --bundles 0
	run_dir
	PROVA_BIN=$PROVA_BUILD/bin spawn run "$ROOT/pipelines/run" "$CONF"
	names=(ledger task-fetch trace-build allocate dispatch-exec.one submit)
	for name in "${names[@]}"; do wait_for grep -q "^$name: t=.* event=started" run.err; done
	pids=()
	for name in "${names[@]}"; do pids+=("$(pid_of "$name")"); done
	stop run KILL || assert_equal $? 137
	wait_for none_left "${pids[@]}"
	check_books
}

@test "pipelines/run does not start again what ended with 100, and refuses wrong settings" {
	devnet --chunks 1 --batches 0 --bundles 0
	run_dir
	spawn submit prova-submit -c "$CONF"
	wait_for logged submit event=started
	PROVA_BIN=$PROVA_BUILD/bin spawn run "$ROOT/pipelines/run" "$CONF"
	wait_for logged run "submit ended with status 100: it is not started again"
	wait_for all_verified
	stop run
	assert_equal "$(grep -c 'run: submit ended' run.err)" 1
	stop submit

	echo "nonsense = 1" >>"$CONF"
	PROVA_BIN=$PROVA_BUILD/bin run -100 "$ROOT/pipelines/run" "$CONF"
	assert_output --partial nonsense
	run -100 "$ROOT/pipelines/run"
	assert_output --partial "usage: run"
	sed -i '$d' "$CONF"
	check_books
}

# named KEY=VALUE...: settings of [prova] that are put in place of those there
named() {
	local pair
	for pair; do sed -i "s|^${pair%%=*} = .*|${pair%%=*} = ${pair#*=}|" "$CONF"; done
}

@test "pipelines/run makes every directory that the settings name, however deep" {
	devnet --chunks 1 --batches 0 --bundles 0
	run_dir
	rm -r run state blobs
	named state_dir=a/b/c/state blobs_dir=a/d/e/blobs store=f/g/h/prova.db ledger=ipc://i/j/ledger
	PROVA_BIN=$PROVA_BUILD/bin spawn run "$ROOT/pipelines/run" "$CONF"
	wait_for -s 60 all_verified
	stop run
	run -1 grep "starting it again" run.err
	run -0 stat -c %a run a/b/c/state a/d/e/blobs f/g/h i/j
	assert_output "$(printf '%s\n' 2770 2770 2770 700 2770)"
	check_books
}

@test "pipelines/run names each directory that cannot be made, and starts nothing" {
	run_dir
	rm -r run state blobs
	touch plain
	named blobs_dir=plain/x/blobs store=plain/dir/prova.db
	PROVA_BIN=$PROVA_BUILD/bin run -100 timeout 60 "$ROOT/pipelines/run" "$CONF"
	assert_output "run: blobs_dir of [prova]: there is no directory plain/x/blobs, and it cannot be made: Not a directory
run: store of [prova]: there is no directory plain/dir, and it cannot be made: File exists"
	run_dir
	named run_dir=plain state_dir=plain/state ledger=ipc://plain/run/ledger
	PROVA_BIN=$PROVA_BUILD/bin run -100 timeout 60 "$ROOT/pipelines/run" "$CONF"
	assert_output "run: run_dir of [prova]: there is no directory plain, and it cannot be made: File exists
run: state_dir of [prova]: there is no directory plain/state, and it cannot be made: File exists
run: ledger of [prova]: there is no directory plain/run, and it cannot be made: File exists"
}
