# dispatch-exec.bats - prova-dispatch-exec as a program: its options, its plug-ins' life, and the plug-ins themselves.
# shellcheck disable=SC2154 # stderr is bats'
load helper

conf() {
	PROVER="$ROOT/pipelines/plugins/sha-prover"
	run_dir
	cat >>"$CONF" <<END

[provider gpu]
command = echo \$\$ >>pids; exec $PROVER
slots = 2
END
}

pids() { [ "$(wc -l <pids)" -ge "$1" ]; }

none_alive() {
	local pid
	while read -r pid; do
		[ ! -e "/proc/$pid" ] || grep -q ') Z' "/proc/$pid/stat" || return 1
	done <pids
}

@test "the usage is the man page's synopsis" {
	run -0 prova-dispatch-exec -h
	synopsis=$(mandoc -T ascii -O width=300 "$ROOT/man/prova-dispatch-exec.8" | col -b | sed -n '/^SYNOPSIS/{n;s/^ *//;p}')
	assert_output "usage: $synopsis"
}

@test "-n checks the provider without starting anything" {
	conf
	run -0 prova-dispatch-exec -n -c "$CONF" -I dispatch-exec.gpu
	assert_output "settings are fine"
	assert_not_exist pids
	run -100 prova-dispatch-exec -n -c "$CONF" -I dispatch-exec.nobody
	assert_output --partial "[provider nobody]"
	run -100 prova-dispatch-exec -n -c "$CONF"
	assert_output --partial "dispatch-exec.NAME serves [provider NAME]"
	run -100 prova-dispatch-exec -n -c "$CONF" -I dispatch-exec.gpu -O "provider:gpu.types=chunk bundles"
	assert_output --partial "types has to be some of: chunk batch bundle"
	run -100 prova-dispatch-exec -n -c "$CONF" -I dispatch-exec.gpu -O "provider:gpu.when_unsure=hope"
	assert_output --partial "when_unsure"
}

@test "it starts a plug-in per slot, also without a ledger, and ends them by SIGTERM" {
	conf
	spawn exec prova-dispatch-exec -c "$CONF" -I dispatch-exec.gpu
	wait_for pids 2
	stop exec
	wait_for -s 2 none_alive
}

@test "its plug-ins die with it, however it ends" {
	conf
	spawn exec prova-dispatch-exec -c "$CONF" -I dispatch-exec.gpu
	wait_for pids 2
	stop exec KILL || :
	wait_for -s 2 none_alive
}

@test "a plug-in that is killed is started again" {
	conf
	spawn exec prova-dispatch-exec -c "$CONF" -I dispatch-exec.gpu
	wait_for pids 2
	kill -KILL "$(head -n 1 pids)"
	wait_for logged exec 'event=plugin-failed name=gpu'
	wait_for pids 3
}

@test "a second one of its name exits 100" {
	conf
	spawn exec prova-dispatch-exec -c "$CONF" -I dispatch-exec.gpu
	wait_for pids 2
	run -100 prova-dispatch-exec -c "$CONF" -I dispatch-exec.gpu
}

@test "sha-prover is under 40 lines, proves and verifies" {
	plugin=$ROOT/pipelines/plugins/sha-prover
	[ "$(wc -l <"$plugin")" -lt 40 ]
	printf hello >input
	sum=$(sha256sum <input)
	sum=${sum%% *}
	request='{"id":1,"verb":"prove","attempt":"c-7","type":"chunk","input":"input","input_sha256":"'$sum'"}'
	run -0 env SHA_PROVER_LOG=log "$plugin" <<<"$request"
	[ "$(jq -r .proof <<<"$output" | jq -r .input_sha256)" = "$sum" ]
	[ "$(cat log)" = "c-7 $sum" ]
	jq -rj .proof <<<"$output" >proof
	run -0 "$plugin" <<<'{"id":2,"verb":"verify","input":"input","proof_path":"proof"}'
	[ "$(jq -c '[.id, .ok, .valid]' <<<"$output")" = '[2,true,true]' ]
	run -0 "$plugin" <<<'{"id":3,"verb":"verify","input":"proof","proof_path":"proof"}'
	[ "$(jq .valid <<<"$output")" = false ]
}
