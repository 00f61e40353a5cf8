# trace-build.bats - prova-trace-build as a program: its options, and as a filter.
# shellcheck disable=SC2154 # stderr is bats'
load helper

# job TYPE BODY: one line of a job that was fetched
job() {
	jq -nc --arg type "$1" --arg body "$(printf %s "$2" | base64 -w0)" \
		'{kind: "job", state: "fetched", chain: "test", type: $type, body: $body}'
}

# chunk HASH...: a chunk's body
chunk() { jq -nc '{block_hashes: $ARGS.positional}' --args "$@"; }

digest() { sha256sum | cut -d ' ' -f 1; }

@test "the usage is the man page's synopsis" {
	run -0 prova-trace-build -h
	synopsis=$(mandoc -T ascii -O width=300 "$ROOT/man/prova-trace-build.8" | col -b | sed -n '/^SYNOPSIS/{n;s/^ *//;p}')
	assert_output "usage: $synopsis"
}

@test "wrong calls end with 100 and the usage" {
	for args in "-x" "operand" "-I submit" "-i -" "-o -" "--ledger ipc://x -i - -o -"; do
		# shellcheck disable=SC2086
		run -100 prova-trace-build $args
		assert_line --partial "usage: prova-trace-build"
	done
}

@test "-n checks the settings without touching anything" {
	run_dir
	run -0 prova-trace-build -n -c "$CONF"
	assert_output "settings are fine"
	assert_not_exist run/trace-build.lock
	run -100 prova-trace-build -n -c "$CONF" -O chain:test.l2=nowhere
	assert_output "[chain test] l2 = nowhere: setting: there is no such section"
	run -100 prova-trace-build -n -c "$CONF" -O l2:test.urls=localhost:8545
	assert_output --partial "begins with http:// or https://"
	run -100 prova-trace-build -n -c "$CONF" -O stage.chain=other
	assert_output --partial "[chain other]"
}

@test "as a filter batches and bundles pass byte for byte, in order" {
	run_dir
	batch='{"chunk_infos": [1.0,"\u003c"] }'
	bundle='{"batch_proofs":[]}'
	run -0 --separate-stderr prova-trace-build -c "$CONF" -i - -o - < <(job batch "$batch"; job bundle "$bundle"; job batch "$batch")
	output=$(jq -r '[.state, .input_blob, .input_bytes] | join(" ")' <<<"$output")
	a="ready $(printf %s "$batch" | digest) ${#batch}"
	b="ready $(printf %s "$bundle" | digest) ${#bundle}"
	assert_output "$a
$b
$a"
	digest=$(printf %s "$batch" | digest)
	run -0 cat "blobs/${digest:0:2}/$digest"
	assert_output "$batch"
}

@test "as a filter a task that cannot be understood is given up with a code, and the next goes on" {
	run_dir
	run -0 --separate-stderr prova-trace-build -c "$CONF" -i - -o - \
		< <(job chunk 'no'; job chunk '{}'; job chunk "$(chunk 0x12)"; job batch '{}'; echo '{"kind":"job","type":"batch"}')
	run -0 jq -r '[.state, .code] | join(" ")' <<<"$output"
	assert_output "given-up task-bad
given-up task-bad
given-up task-bad
ready ok
given-up task-bad"
}

# It has 60 s to end in.
filter() { timeout 60 prova-trace-build -c "$CONF" -i - -o -; }

# with MEMBERS: each line with these, too
with() { jq -c '. + $m' --argjson m "$1"; }

@test "as a filter a chain without nodes is said at once, and its chunk stays as it came" {
	run_dir
	printf '[chain bare]\nverify = none\n' >>"$CONF"
	hash=0x$(printf %064d 7)
	run -0 --separate-stderr filter < <(job chunk "$(chunk "$hash")" | with '{"chain": "unheard"}'
		job batch '{"a":1}' | with '{"chain": "unheard"}'
		job chunk "$(chunk "$hash")" | with '{"chain": "bare", "deadline_ms": 9000000000000}'
		job chunk "$(chunk "$hash")" | with '{"chain": "unheard", "deadline_ms": 1}')
	assert_regex "$stderr" "event=input-waits .*code=setting"
	output=$(jq -r '[.state, .code, .detail] | join(" ")' <<<"$output")
	assert_output "fetched setting unheard: this chain has no l2 in the settings
ready ok 
fetched setting bare: this chain has no l2 in the settings
late late "
}

@test "as a filter a deadline ends the waiting for a node, as the ledger would" {
	run_dir
	hash=0x$(printf %064d 7)
	soon=$((($(date +%s) + 4) * 1000))
	run -0 --separate-stderr filter < <(job chunk "$(chunk "$hash")" | with "{\"deadline_ms\": $soon}"
		job batch '{"a":1}' | with "{\"deadline_ms\": $((soon + 3600000))}"
		job batch '{"a":2}' | with '{"deadline_ms": 1}')
	assert_regex "$stderr" "event=l2-node-rests"
	[ "$(date +%s)" -ge $((soon / 1000)) ]
	run -0 jq -r '[.state, .code, has("detail"), has("input_blob")] | join(" ")' <<<"$output"
	assert_output "late late false false
ready ok false true
late late false false"
}

@test "as a filter it acts on fetched jobs only, and passes all else as it is, in order" {
	run_dir
	{
		for state in given-up ready late placed; do
			job chunk '{}' | with "{\"state\": \"$state\", \"detail\": \"said before\"}"
		done
		jq -nc '{kind: "attempt", state: "allocated", chain: "test", type: "chunk"}'
	} >others
	run -0 --separate-stderr filter < <(job batch '{}'; cat others; job batch '[]')
	assert_equal "$(jq -r .code <<<"${lines[0]}") $(jq -r .code <<<"${lines[6]}")" "ok task-bad"
	diff <(jq -cS . others) <(printf '%s\n' "${lines[@]:1:5}" | jq -cS .)
}

@test "as a filter it reads again what it made of a row without kind and state" {
	run_dir
	filter >once < <(job chunk '{}' | jq -c 'del(.kind, .state)'; job batch '{}' | jq -c 'del(.kind, .state)')
	run -0 jq -r '[.kind, .state, .code] | join(" ")' once
	assert_output "job given-up task-bad
job ready ok"
	filter <once >twice
	diff once twice
}
