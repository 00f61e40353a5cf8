# crash.bats - the demonstration while processes are killed and frozen, in short: pipelines/demo --kill has it all.
load helper

@test "every process is killed, then frozen, and nothing is lost or bought twice" {
	PROVA_BIN=$PROVA_BUILD/bin run -0 "$ROOT/pipelines/demo" --keep demo --kill --tasks 40 3>&-
	assert_equal "${lines[-1]}" "demo: 40 tasks, 40 accepted, 0 lost, 0 bought twice"
	assert_output --partial "killed ledger: at work again"
	assert_output --partial "killed dispatch-exec.own: at work again"
	assert_output --partial "thawed submit: at work again"
	run -0 prova-ledger -c demo/prova.conf -C
}
