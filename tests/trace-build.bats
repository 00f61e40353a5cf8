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
