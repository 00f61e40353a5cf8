# dispatch-coordinator.bats - existing provers at our door.  Here the provers are another Prova, behind the first one:
# it signs in, polls and submits as it would at any Coordinator.
# shellcheck disable=SC2004,SC2034,SC2153,SC2154 # variables of helper and bats (PIDS has names)
load helper
load world
load door

# behind: the second one, in behind/, whose Coordinator is the first; its provers say what they did in orders
behind() {
	mkdir behind
	export SHA_PROVER_LOG=$PWD/orders
	: >orders
	# a get_task that was cut off is not asked again before its time is over
	(cd behind && COORDINATOR_URL=$FRONT_URL run_dir && sed -i 's/^identities = .*/&\ntimeout = 3s/' prova.conf)
	start behind ledger task-fetch trace-build allocate dispatch-exec.one submit
}

@test "provers at the door: every task of a Coordinator comes back proved, under an uuid of our own" {
	devnet --chunks 6 --batches 2 --bundles 1
	front "hold = 1s"
	behind
	wait_for -s 60 all_verified
	assert_equal "$(stats .accepted_total)" 9
	assert_equal "$(wc -l <orders)" 9
	assert_equal "$(IN=front store "SELECT count(*) FROM job JOIN attempt USING (work) WHERE job.state = 32 AND attempt.state = 32")" 9
	# what the provers hold is not what we hold
	IN=front store "SELECT uuid FROM job" | sort >ours
	IN=behind store "SELECT uuid FROM job" | sort >theirs
	run -0 comm -12 ours theirs
	refute_output
	check_books front behind
}

@test "the door is killed again and again: the same uuids go on, nothing is proved twice" {
	devnet --chunks 10 --batches 0 --bundles 0 --collection 120
	SLOTS=2 front "hold = 300ms"
	export QUEUE_PROVER_SECONDS=0.3
	PROVER=$ROOT/pipelines/plugins/queue-prover behind
	for _ in 1 2 3 4; do
		sleep 0.7
		stop front-dispatch-coordinator.farm KILL || :
		sed -i "s|^listen = .*|listen = 127.0.0.1:$PORT|" front/prova.conf
		start front dispatch-coordinator.farm
	done
	wait_for -s 60 all_verified
	assert_equal "$(wc -l <orders)" 10
	check_books front behind
}

@test "the ledger is away while proofs come in: all arrive" {
	devnet --chunks 6 --batches 0 --bundles 0 --collection 120
	front "hold = 300ms"
	behind
	wait_for test -s orders
	stop front-ledger KILL || :
	wait_for -s 40 grep -q 'event=.*posts=1\|code=post-failed\|post-failed' behind-submit.err
	start front ledger
	wait_for -s 60 all_verified
	assert_equal "$(wc -l <orders)" 6
	check_books front behind
}

@test "what no prover takes goes to another provider" {
	devnet --chunks 2 --batches 0 --bundles 0
	mkdir front
	(cd front && run_dir && sed -i 's/^verify = none/&\ntiers = farm | one/' prova.conf &&
		printf '[provider farm]\nlisten = 127.0.0.1:0\nahead = 2\ntake = 300ms\n' >>prova.conf)
	start front ledger task-fetch trace-build allocate dispatch-coordinator.farm submit dispatch-exec.one
	wait_for all_verified
	assert_equal "$(IN=front store "SELECT count(*) FROM attempt WHERE provider = 'farm' AND state = 34 AND code = 92")" 2
	check_books front
}

# prover NAME OPTION...: a prova-prover at the door, one worker, by digest
prover() {
	local name=$1
	shift
	spawn "$name" prova-prover --mock -O url="$FRONT_URL" -O l2_urls="$L2_URL" -O state_dir="$name" -O ask=all -O poll=50ms \
		-O stagger=1ms "$@"
}

@test "a prover that fails at everything does not keep the others from the work" {
	devnet --chunks 4 --batches 0 --bundles 0
	front "hold = 300ms\ntake = 3s"
	prover bad -O mock_fail=100 -O max_tries=1
	wait_for grep -q event=reported bad.err
	prover good
	wait_for -s 60 all_verified
	assert_equal "$(IN=front store "SELECT count(*) > 0 FROM attempt WHERE state = 33 AND code = 85")" 1
	check_books front
}

@test "strangers are answered as by a Coordinator" {
	front "provers = 0324afcee4c0f906c71a562473da1f8448d6f6b0b2fa972759cd99a8838d923121"
	token=$(ask challenge | jq -r .data.token)
	run -0 jq -c '[.errcode, .data]' <<<"$(ask login -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -d '{}')"
	assert_output '[50000,null]'
	# every login token that is no good sends a prover to log in again
	for bad in '' x a.b.c "$token"; do
		for call in get_task submit_proof; do
			run -0 ask $call -H "Authorization: Bearer $bad" -H 'Content-Type: application/json' -d '{}'
			assert_output '{"errcode":50001,"errmsg":"token is expired","data":null}'
		done
	done
	run -0 ask login -w '%{http_code}' -o /dev/null
	assert_output 404
	run -0 ask nothing
	assert_output "404 page not found"
}

@test "a provider has either a command or a door" {
	run_dir
	printf '[provider farm]\nlisten = :0\n' >>prova.conf
	run -0 prova-dispatch-coordinator -c prova.conf -I dispatch-coordinator.farm -n
	run -100 prova-dispatch-coordinator -c prova.conf -I dispatch-coordinator.one -n
	assert_output --partial "it has no listen"
	run -100 prova-dispatch-exec -c prova.conf -I dispatch-exec.farm -n
	assert_output --partial "it has no command"
	run -100 prova-dispatch-coordinator -c prova.conf -I dispatch-coordinator.nobody -n
	for bad in "provers = 123" "versions = v1" "types = brick"; do
		printf '[provider farm]\nlisten = :0\n%s\n' "$bad" >bad.conf
		run -100 prova-dispatch-coordinator -c bad.conf -I dispatch-coordinator.farm -n
		assert_output --partial "${bad%% *} has to be"
	done
	run -1 prova -c prova.conf -O provider:both.command=x -O provider:both.listen=:0 check
	assert_output --partial "has to have either command or listen"
}
