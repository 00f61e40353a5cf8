# two-kinds.bats - one task set for two kinds of provider: plug-ins, and prova-provers who come to the door of
# dispatch-coordinator.  What is killed, frozen or away costs time, and nothing else.
# shellcheck disable=SC2004,SC2034,SC2153,SC2154 # variables of helper and bats (PIDS has names)
load helper
load world
load door

STRANGER=$PROVA_BUILD/tests/tools/stranger
DOOR=front-dispatch-coordinator.farm

# two_kinds TASKS [TIERS]: a pipeline with the providers farm and one; its provers mock
two_kinds() {
	devnet --chunks "$1" --batches 0 --bundles 0 --collection $((120 + AWAY_SECONDS))
	export SHA_PROVER_LOG=$PWD/orders
	: >orders
	MORE="[provider one]
command = $ROOT/pipelines/plugins/sha-prover
slots = 1
poll = 20ms
price = 0.25" CHAIN="verify = $ROOT/pipelines/plugins/sha-prover\\ntiers = ${2:-farm one}\\ncollection_chunk = $((180 + AWAY_SECONDS))s" front "hold = 1s\\nahead = 2"
}

# paid_once: each task is submitted, one attempt of it is paid, and the books are right
paid_once() {
	settled() { [ "$(IN=front store "SELECT count(*) FROM job WHERE state < 32")" = 0 ]; }
	wait_for settled
	assert_equal "$(IN=front store "SELECT count(*) FROM work")" "$1"
	assert_equal "$(IN=front store "SELECT count(*) FROM job WHERE state = 32")" "$1"
	assert_equal "$(IN=front store "SELECT count(*) FROM (SELECT work FROM attempt WHERE owed > 0 GROUP BY work HAVING count(*) = 1)")" "$1"
	assert_equal "$(IN=front store "SELECT count(*) FROM (SELECT work FROM attempt WHERE owed > 0 GROUP BY work HAVING count(*) > 1)")" 0
	check_books front
}
works_of() { IN=front store "SELECT count(*) FROM attempt WHERE provider = '$1' AND owed > 0"; }
files() { find "$1" -name 'task.*' | wc -l; }
no_files() { [ "$(files "$1")" = 0 ]; }

@test "a prover is killed with its task and comes back: it submits under the old uuid, and is paid once" {
	two_kinds 1 farm
	prover mine -O mock_delay=10s
	wait_for has_events mine proving 1
	stop mine KILL || :
	uuid=$(sed -n 's/.* event=proving .* uuid=\([^ ]*\) .*/\1/p' mine.err)
	stop "$DOOR" KILL || :
	knock
	prover mine -O mock_delay=10ms
	wait_for all_verified
	wait_for has_events mine submitted 1
	run -0 grep -c " event=submitted .* uuid=$uuid " mine.err
	assert_output 1
	assert_equal "$(IN=front store "SELECT count(*) FROM attempt")" 1
	assert_equal "$(IN=front store "SELECT sum(owed) FROM attempt")" 250000
	paid_once 1
}

@test "the door is away while proofs finish: they are kept, and all arrive" {
	two_kinds 3 farm
	prover mine -O mock_delay=3s -O workers=3
	wait_for has_events mine proving 3
	since=$SECONDS
	stop "$DOOR" KILL || :
	wait_for has_events mine proved 3
	wait_for has_events mine submit-again 6
	stay_away "$since"
	assert_equal "$(files mine)" 3
	knock
	wait_for all_verified
	wait_for no_files mine
	assert_equal "$(events mine proving)" 3
	assert_equal "$(works_of farm)" 3
	paid_once 3
}

@test "the ledger is away: submits hear 503 with Retry-After, and the proofs arrive later" {
	two_kinds 2 farm
	prover mine -O mock_delay=3s -O workers=2
	wait_for has_events mine proving 2
	stop front-ledger KILL || :
	wait_for has_events mine submit-again 2
	wait_for has_events mine proved 2
	run -0 grep -c ' event=submit-again .*503' mine.err
	assert_equal "$(files mine)" 2
	# what it hears, each time
	uuid=$(sed -n 's/.* event=proving identity=0 .* uuid=\([^ ]*\) .*/\1/p' mine.err)
	token=$("$STRANGER" token front/state/dispatch-coordinator.farm/secret "$(sed -n 's/.* first_key=//p' mine.err)" 60)
	run -0 ask submit_proof -D - -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -d "$("$STRANGER" proof "$uuid" 0x1 10)"
	assert_line --index 0 --partial 503
	assert_line --regexp '^Retry-After: [0-9]+'
	refute_output --partial errcode
	start front ledger
	wait_for all_verified
	wait_for no_files mine
	assert_equal "$(events mine proving)" 2
	paid_once 2
}

@test "two kinds of provider: door and prover are killed and frozen in turn, nothing is lost or paid twice" {
	two_kinds 20
	start front dispatch-exec.one
	prover mine -O mock_delay=300ms -O workers=2
	wait_for has_events mine submitted 1
	for what in mine "$DOOR" mine "$DOOR"; do
		stop "$what" KILL || :
		if [ "$what" = mine ]; then prover mine -O mock_delay=300ms -O workers=2; else knock; fi
		sleep 0.3
	done
	for what in mine "$DOOR"; do
		kill -STOP "${PIDS[$what]}"
		sleep 1
		kill -CONT "${PIDS[$what]}"
	done
	wait_for -s 60 all_verified
	wait_for no_files mine
	[ "$(works_of farm)" -gt 0 ]
	[ "$(works_of one)" -gt 0 ]
	paid_once 20
}
