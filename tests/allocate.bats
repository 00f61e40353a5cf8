# allocate.bats - prova-allocate as a program: its options, as a filter, alone as a daemon.
# shellcheck disable=SC2154,SC2016 # stderr is bats'; eval expands
load helper

conf() {
	run_dir
	cat >>"$CONF" <<END

[chain test]
tiers = one two | three
max_attempts = 3

[provider two]
command = true
slots = 1
price = 1

[provider three]
command = true
types = chunk batch
price = 0.1
END
}

# job ID [MEMBER...]: one line of a job that is ready
job() {
	jq -nc --arg id "$1" '{kind: "job", state: "ready", chain: "test", type: "chunk", task: $id} + ($ARGS.positional | map(fromjson) | add // {})' \
		--args "${@:2}"
}

@test "the usage is the man page's synopsis" {
	run -0 prova-allocate -h
	synopsis=$(mandoc -T ascii -O width=300 "$ROOT/man/prova-allocate.8" | col -b | sed -n '/^SYNOPSIS/{n;s/^ *//;p}')
	assert_output "usage: $synopsis"
}

@test "wrong calls end with 100 and the usage" {
	for args in "-x" "-c" "operand" "-I submit" "-I allocate." "-i file -o -" "-i -" "-o -" "--ledger none" \
		"--ledger ipc://x -i - -o -"; do
		# shellcheck disable=SC2086
		run -100 prova-allocate $args
		assert_line --partial "usage: prova-allocate"
	done
}

@test "-n checks the settings without touching anything" {
	conf
	run -0 prova-allocate -n -c "$CONF"
	assert_output "settings are fine"
	assert_not_exist run/allocate.lock
	run -100 prova-allocate -n -c "$CONF" -O "chain:test.tiers=one nobody"
	assert_output --partial "nobody has no section [provider nobody]"
	run -100 prova-allocate -n -c "$CONF" -O "chain:test.tiers=one |"
	assert_output --partial "[chain test] tiers_chunk: a tier without a provider"
	run -100 prova-allocate -n -c "$CONF" -O "stage.chain=other"
	assert_output --partial "[chain other]"
}

@test "as a filter each job gets a provider, in turn, with the reasons" {
	conf
	for i in 1 2 3 4 5 6; do job $i; done >in
	prova-allocate -c "$CONF" -i - -o - <in >out
	run -0 jq -r .provider out
	assert_output "$(printf '%s\n' one one two one one three)"
	run -0 jq -r 'select(.task == "6") | .reason' out
	assert_output "one:no-slot two:no-slot three:chosen"
	run -0 jq -r '[.state, .code, .price] | @text' out
	assert_line --index 0 '["placed","ok",250000]'
	assert_line --index 5 '["placed","ok",100000]'
	diff <(prova-allocate -c "$CONF" -i - -o - --ledger none <in) out
}

@test "as a filter it keeps from providers what they cannot do or have failed" {
	conf
	{
		job 1 '{"type": "bundle"}' '{"tried": "one:plugin-exit two:proof-bad"}'
		job 2 '{"type": "batch"}' '{"tried": "one:plugin-exit two:proof-bad"}'
		job 3 '{"chain": "unheard"}'
		job 4 '{"state": "given-up"}'
	} >in
	prova-allocate -c "$CONF" -i - -o - <in >out
	run -0 jq -r '[.task, .state, .provider, .reason] | join(" ")' out
	assert_line --index 0 "1 placed one one:chosen two:failed-before three:not-able"
	assert_line --index 1 "2 placed three one:failed-before two:failed-before three:chosen"
	assert_line --index 2 "3 queued  "
	assert_line --index 3 "4 given-up  "
}

@test "as a filter it acts on ready and queued jobs only, and passes all else as it is" {
	conf
	for state in fetched ready queued placed submitting submitted late given-up cancelled; do
		job $state "{\"state\": \"$state\"}"
	done >in
	jq -nc '{kind: "attempt", state: "allocated", chain: "test", type: "chunk", task: "attempt"}' >>in
	prova-allocate -c "$CONF" -i - -o - <in >out
	run -0 jq -r 'select(has("provider")) | [.task, .state] | join(" ")' out
	assert_output "$(printf '%s\n' "ready placed" "queued placed")"
	others='select(.task != "ready" and .task != "queued")'
	diff <(jq -cS "$others" in) <(jq -cS "$others" out)
	assert_equal "$(wc -l <out)" 10
}

@test "as a filter it gives up a job whose deadline has passed or whose attempts are used up" {
	conf
	now=$(($(date +%s) * 1000))
	{
		job 1 "{\"deadline_ms\": $((now - 1))}"
		job 2 "{\"deadline_ms\": $((now + 3600000))}"
		job 3 '{"state": "queued", "deadline_ms": 1}'
		job 4 '{"attempts": 3}'
		job 5 '{"deadline_ms": 1, "open": 7}'
	} >in
	prova-allocate -c "$CONF" -i - -o - <in >out
	run -0 jq -r '[.task, .state, .code, .provider] | join(" ")' out
	assert_output "$(printf '%s\n' "1 given-up deadline " "2 placed ok one" "3 given-up deadline " "4 given-up max-attempts " "5 placed ok ")"
}

@test "as a filter it names a bad line and goes on" {
	conf
	{ job 1; echo nonsense; job 2; } >in
	run -100 --separate-stderr prova-allocate -c "$CONF" -i - -o - <in
	assert_equal "${#lines[@]}" 2
	[[ $stderr == *"event=line-refused line=2 code=malformed"* ]]
}

@test "without a ledger the daemon waits, says so, and ends cleanly" {
	conf
	spawn allocate prova-allocate -c "$CONF"
	wait_for logged allocate event=started
	assert_socket_exist run/allocate.inbox
	wait_for logged allocate "event=ledger-away code=ledger-away"
	run -100 prova-allocate -c "$CONF"
	assert_output --partial "run/allocate.lock: locked"
	assert alive allocate
	stop allocate
	assert_not_exist run/allocate.inbox
	spawn allocate prova-allocate -c "$CONF"
	wait_for test -S run/allocate.inbox
}

@test "a killed one leaves nothing that hinders the next" {
	conf
	spawn allocate prova-allocate -c "$CONF"
	wait_for test -S run/allocate.inbox
	stop allocate KILL || assert_equal $? 137
	spawn allocate prova-allocate -c "$CONF"
	wait_for eval '[ "$(grep -c event=started allocate.err)" = 2 ]'
	stop allocate
}
