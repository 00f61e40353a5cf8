# task-fetch.bats - prova-task-fetch and prova-submit as programs: options, settings, the seed.
# shellcheck disable=SC2154 # stderr is bats'
load helper

@test "the usages are the man pages' synopses" {
	for name in task-fetch submit; do
		run -0 "prova-$name" -h
		synopsis=$(mandoc -T ascii -O width=300 "$ROOT/man/prova-$name.8" | col -b | sed -n '/^SYNOPSIS/{n;s/^ *//;p}')
		assert_output "usage: $synopsis"
	done
}

@test "-n checks the settings without touching anything" {
	run_dir
	for name in task-fetch submit; do
		run -0 "prova-$name" -n -c "$CONF"
		assert_output "settings are fine"
	done
	assert_not_exist state/task-fetch
	assert_not_exist run/submit.lock
}

@test "a chain, a coordinator or an L2 node that is not there is an error" {
	run_dir
	run -100 prova-task-fetch -n -c "$CONF" -O stage.chain=other
	assert_output --partial "[chain other]"
	run -100 prova-task-fetch -n -c "$CONF" -O chain:test.coordinator=nowhere
	assert_output --partial "[coordinator nowhere]: setting: there is none of this name with a url"
	run -100 prova-task-fetch -n -c "$CONF" -O chain:test.l2=nowhere
	assert_output --partial "[l2 nowhere]: setting"
	run -100 prova-task-fetch -n -c "$CONF" -O coordinator:test.types=brick
	assert_output --partial "types: write some of chunk batch bundle"
	run -100 prova-submit -n -c "$CONF" -O stage.chain=other
	assert_output --partial "[chain other] needs coordinator"
}

@test "no verifier is an error, unless none is written" {
	run_dir
	sed -i '/^verify/d' "$CONF"
	run -100 prova-submit -n -c "$CONF"
	assert_output --partial "no-verifier: Write verify = PLUG-IN or verify = none in [chain]."
	run -100 prova-submit -n -c "$CONF" -O chain:test.verify_chunk=none
	assert_output --partial "no-verifier"
	run -0 prova-submit -n -c "$CONF" -O chain:test.verify_chunk=none -O coordinator:test.types=chunk
}

@test "the seed is made once, private, and refused when it is not" {
	run_dir
	spawn fetch prova-task-fetch -c "$CONF"
	wait_for logged fetch event=login-failed
	assert_file_permission 600 state/task-fetch/seed
	run -0 grep -cE '^[0-9a-f]{64}$' state/task-fetch/seed
	before=$(cat state/task-fetch/seed)
	stop fetch
	spawn again prova-task-fetch -c "$CONF"
	wait_for logged again event=login-failed
	stop again
	assert_equal "$(cat state/task-fetch/seed)" "$before"
	chmod 644 state/task-fetch/seed
	run -100 prova-task-fetch -c "$CONF"
	assert_output --partial "the seed is open to others"
}

@test "neither ends because Coordinator and ledger are away" {
	run_dir
	spawn fetch prova-task-fetch -c "$CONF"
	spawn submit prova-submit -c "$CONF"
	wait_for logged fetch event=started
	wait_for logged submit event=started
	wait_for logged fetch event=login-failed
	alive fetch
	alive submit
	stop fetch
	stop submit
}

# devnet OPTION...: a Coordinator and an L2 node, and a run directory that knows them
devnet() {
	spawn devnet prova-devnet --listen 127.0.0.1:0 --l2-listen 127.0.0.1:0 --ports "$PWD/ports" "$@"
	wait_for test -s ports
	# shellcheck source=/dev/null
	. ./ports
	# shellcheck disable=SC2153 # the ports file has L2
	export COORDINATOR_URL=http://127.0.0.1:$COORDINATOR L2_URL=http://127.0.0.1:$L2
	run_dir
}

@test "without a ledger tasks are fetched and written as jobs" {
	devnet --chunks 8
	run -0 --separate-stderr prova-task-fetch -c "$CONF" -n 3 --ledger none -o -
	assert_equal "${#lines[@]}" 3
	run -0 jq -s -r '(map(.uuid) | unique | length), (map(.identity) | unique | length), .[0].kind, .[0].state, .[0].type,
		(.[0].body | @base64d | fromjson | .block_hashes | length)' <<<"$output"
	assert_output "3
3
job
fetched
chunk
2"
}

@test "both forms of signature are understood" {
	devnet --chunks 8
	run -0 --separate-stderr prova-task-fetch -c "$CONF" -n 1 --ledger none -o - -O coordinator:test.signature=6
	assert_equal "${#lines[@]}" 1
}

@test "when no identity can get another task the generator ends with 111" {
	devnet --chunks 8
	run -111 --separate-stderr prova-task-fetch -c "$CONF" -n 5 --ledger none -o -
	assert_equal "${#lines[@]}" 4
}

@test "a blocked identity is tried once by the next process, and works again when the block is lifted" {
	devnet --chunks 0 # to have its ports
	mkdir -m 700 state/task-fetch
	(umask 077 && printf '%064d\n' 7 >state/task-fetch/seed)
	key=$(prova -c "$CONF" keys | head -n 1 | cut -d ' ' -f 3)
	stop devnet || :
	again() { spawn devnet prova-devnet --listen "${COORDINATOR_URL#http://}" --l2-listen "${L2_URL#http://}" "$@"; }
	store_says() { [ "$(sqlite3 -readonly -cmd '.timeout 5000' state/ledger/prova.db "$1")" = "$2" ]; }
	is_blocked() { store_says 'SELECT state FROM identity WHERE identity = 0' 4; }
	times() { [ "$(grep -c event=identity-blocked fetch.err)" -eq "$1" ]; }
	# somebody has to have room for a task, or nothing is polled
	spawn ledger prova-ledger -c "$CONF"
	spawn allocate prova-allocate -c "$CONF"
	spawn dispatch prova-dispatch-exec -c "$CONF" -I dispatch-exec.one
	again --chunks 0 --block "$key"
	spawn fetch prova-task-fetch -c "$CONF"
	wait_for times 1
	wait_for is_blocked
	stop fetch
	spawn fetch prova-task-fetch -c "$CONF"
	wait_for times 2
	wait_for is_blocked
	stop devnet || :
	again --chunks 8
	stop fetch
	spawn fetch prova-task-fetch -c "$CONF"
	wait_for store_says 'SELECT count(*) FROM job WHERE identity = 0' 1
	times 2
}
