#!/usr/bin/env bats
# prover.bats - prova-prover against prova-devnet: to the end, killed, without its Coordinator, and by single tasks.
# shellcheck disable=SC2154,SC2030,SC2031 # stderr is bats'; a test's exports are its own
load helper

# devnet OPTION...: a Coordinator and an L2 node; $OPTS are a prover's options for them, in the directory `own`.
devnet() {
	spawn devnet prova-devnet --listen 127.0.0.1:0 --l2-listen 127.0.0.1:0 --ports ports --stats stats --cron 0.05 "$@"
	wait_for test -s ports
	# shellcheck source=/dev/null
	. ./ports
	# shellcheck disable=SC2153 # the ports file has L2
	OPTS=(-O "url=http://127.0.0.1:$COORDINATOR" -O "l2_urls=http://127.0.0.1:$L2" -O state_dir=own -O poll=50ms
		-O stagger=1ms -O backoff_max=200ms -O rest=200ms -O timeout=5s -O workers=3 -O command_poll=10ms -O log=debug)
}

prover() { spawn prover prova-prover "${OPTS[@]}" "$@"; }
stat_is() { jq -e "$1" stats; }
accepted() { stat_is ".accepted_total == $1"; }
task_files() { find own -name 'task.*' | wc -l; }
no_tasks() { [ -z "$(find own -name 'task.*' ! -name '*.bad*')" ]; }
no_files() { [ "$(task_files)" = 0 ]; }
# events NAME EVENT: how many of these lines NAME has written
events() { grep -c " event=$2 " "$1.err"; }
has_events() { [ "$(events prover "$2")" = "$1" ]; }
at_least() { [ "$(events prover "$2")" -ge "$1" ]; }
# field EVENT KEY: the value of KEY in the first such line of the prover
field() { sed -n "s/.* event=$1 .*\\b$2=\\([^ ]*\\).*/\\1/p" prover.err | head -n 1; }
# nothing STATE is left of what devnet has to prove
nothing_is() { stat_is "[.chunks, .batches, .bundles] | map(.$1) | add == 0"; }

@test "wrong calls and settings end with 100" {
	run -100 prova-prover -n
	assert_output --partial "[prover prover] needs url"
	run -100 prova-prover -n -O url=ftp://x
	assert_output --partial "url = ftp://x: write a URL that begins with"
	run -100 prova-prover -n -O url=http://x
	assert_output --partial "command: write the program that proves, or mock = yes"
	run -100 prova-prover -n -O url=http://x --mock
	assert_output --partial "l2_urls: chunks are built from"
	run -100 prova-prover -n -O url=http://x --mock -O l2_urls=nowhere
	assert_output --partial "l2_urls = nowhere: write URLs"
	run -100 prova-prover -n -O url=http://x --mock -O types=brick
	assert_output --partial "types: write some of"
	run -100 prova-prover -n -O poll=often
	assert_output --partial "span of time"
	run -100 prova-prover -I a/b
	run -100 prova-prover --ledger none
	run -100 prova-prover nonsense
	run -100 prova-prover handle
	run -100 prova-prover dump chunk
	run -100 prova-prover -O url=http://x -O types=batch -O state_dir=own dump brick 0x1
	run -100 prova-prover -O url=http://x -O types=batch -O state_dir=own dump chunk 0x1
	assert_output --partial "types do not have this one"
	run -100 prova-prover -O url=http://x -O types=batch -O state_dir=own --mock handle chunk:0x1
	assert_not_exist own
}

@test "settings come from a file, by -I or because there is only one, and by -O" {
	printf '[prover a]\nurl = http://a\ntypes = batch\nmock = yes\n' >conf
	run -0 prova-prover -n -c conf
	assert_output "settings are fine"
	printf '[prover b]\nurl = http://b\n' >>conf
	run -100 prova-prover -n -c conf
	assert_output --partial "[prover prover] needs url"
	run -0 prova-prover -n -c conf -I a
	run -0 prova-prover -n -c conf -I b --mock -O types=bundle
	run -0 prova-prover -d -c conf -I b -O workers=7
	assert_line "prover b workers = 7"
	assert_line "prover a workers = 1"
}

@test "three workers prove everything by digest" {
	devnet --chunks 12 --batches 4 --bundles 2
	prover --mock
	wait_for accepted 18
	wait_for no_files
	stop prover
	assert_file_permission 600 own/seed
	assert_equal "$(jq -c .refused stats)" '{}'
	assert_equal "$(events prover proving)" 18
	for i in 0 1 2; do run -0 grep -c "event=submitted identity=$i " prover.err; done
	run -0 find own/inputs -type f
	assert_output ""
}

@test "a command proves, each order once" {
	devnet
	export SHA_PROVER_LOG=$PWD/log
	prover -O "command=$ROOT/pipelines/plugins/sha-prover"
	wait_for accepted 9
	stop prover
	assert_equal "$(cut -d ' ' -f 1 log | sort | uniq | wc -l)" 9
	assert_equal "$(wc -l <log)" 9
}

@test "a command that takes orders is asked until they are proved" {
	devnet --chunks 3 --batches 1 --bundles 1
	export SHA_PROVER_LOG=$PWD/log QUEUE_PROVER_SECONDS=0.2
	prover -O "command=$ROOT/pipelines/plugins/queue-prover"
	wait_for accepted 5
	stop prover
	assert_equal "$(wc -l <log)" 5
}

@test "6 fields, one type, all types at once, keys that the command names" {
	devnet --chunks 2 --batches 0 --bundles 0
	prover --mock -O signature=6 -O types=chunk -O ask=all
	wait_for accepted 2
	stop prover
	stop devnet
	rm -f ports stats
	cat >keyed <<'END'
#!/bin/sh
sed -u -e 's/.*"id":\([0-9]*\),"verb":"capabilities".*/{"id":\1,"ok":true,"sync":true,"vks":["mock_vk"]}/' \
	-e 's/.*"id":\([0-9]*\),"verb":"prove".*"input_sha256":"\([^"]*\)".*/{"id":\1,"ok":true,"proof":"{\\"input_sha256\\":\\"\2\\"}"}/'
END
	chmod +x keyed
	devnet --chunks 2 --batches 0 --bundles 0
	prover -O command=./keyed
	wait_for accepted 2
	stop prover
	sed -i s/mock_vk/other_vk/ keyed
	prover -O command=./keyed
	wait_for logged prover 'event=login-refused .*incompatible'
}

@test "killed while it proves: the same tasks are proved again, no others asked for" {
	devnet --chunks 3 --batches 1 --bundles 0
	prover --mock -O mock_delay=1h
	wait_for has_events 3 proving
	stop prover KILL || :
	assert_equal "$(find own -name 'task.*.1.0' | wc -l)" 3
	uuids=$(sed -n 's/.* event=proving .*uuid=\([^ ]*\).*/\1/p' prover.err | sort)
	mv prover.err first.err
	prover --mock
	wait_for accepted 4
	wait_for no_files
	stop prover
	assert_equal "$(events prover task-found)" 3
	assert_equal "$(events prover proving)" 4
	for uuid in $uuids; do run -0 grep "event=submitted .*uuid=$uuid" prover.err; done
	assert_equal "$(stat_is .assigned_total)" 4
	assert_equal "$(jq -c .refused stats)" '{}'
}

@test "killed when a proof is there: it is submitted, not proved again, under the old uuid" {
	devnet --chunks 1 --batches 0 --bundles 0
	prover --mock -O workers=1 -O mock_delay=500ms -O timeout=1h
	wait_for logged prover event=proving
	kill -STOP "${PIDS[devnet]}"
	wait_for grep -q '"proof"' own/task.0.1.0
	stop prover KILL || :
	kill -CONT "${PIDS[devnet]}"
	uuid=$(field proving uuid)
	mv prover.err first.err
	prover --mock -O workers=1
	# the killed one's post may have arrived as well: then this one's is the second
	wait_for no_files
	run -1 events prover proving
	run -0 grep -E "event=(submitted|proof-refused) .*uuid=$uuid" prover.err
	wait_for accepted 1
	assert_equal "$(stat_is .assigned_total)" 1
}

@test "an order that was begun is found again after a kill" {
	devnet --chunks 1 --batches 0 --bundles 0
	export SHA_PROVER_LOG=$PWD/log QUEUE_PROVER_SECONDS=2
	prover -O "command=$ROOT/pipelines/plugins/queue-prover" -O workers=1
	wait_for test -s log
	stop prover KILL || :
	prover -O "command=$ROOT/pipelines/plugins/queue-prover" -O workers=1
	wait_for logged prover 'event=resuming .*try=1'
	stop prover
	prover -O "command=$ROOT/pipelines/plugins/queue-prover" -O workers=1
	wait_for accepted 1
	assert_equal "$(wc -l <log)" 1
}

# outlives ASK TRIES: an order that is done while its prover was killed three times is found, and no second one begun
outlives() {
	devnet --chunks 1 --batches 0 --bundles 0
	export SHA_PROVER_LOG=$PWD/log QUEUE_PROVER_SECONDS=3600 QUEUE_PROVER_ASK=$1
	OPTS+=(-O "command=$ROOT/pipelines/plugins/queue-prover" -O workers=1 -O "max_tries=$2")
	for event in proving resuming resuming; do
		rm -f prover.err
		prover
		wait_for logged prover "event=$event .*try=1"
		wait_for test -s log
		stop prover KILL || :
	done
	sed -i 's/ [0-9]*$/ 1/' log	# it was due long ago
	prover
	wait_for accepted 1
	wait_for no_files
	stop prover
	assert_equal "$(wc -l <log)" 1
	run -1 grep event=task-failed prover.err
}

@test "killed more often than max_tries: the order is looked up" { outlives lookup 2; }
@test "killed more often than max_tries: the order is found by its key" { outlives key 1; }

@test "two files of one identity: one is put aside, none is lost" {
	devnet --chunks 2 --batches 0 --bundles 0
	prover --mock -O mock_delay=1h -O workers=1
	wait_for test -e own/task.0.1.0
	stop prover KILL || :
	sed 's/"uuid":"[^"]*"/"uuid":"another"/' own/task.0.1.0 >own/task.0.0.0
	prover --mock -O workers=1
	wait_for accepted 2
	run -0 grep -l '"uuid":"another"' own/aside.*
}

@test "what is named as a task and is none does not stop the others" {
	devnet --chunks 3 --batches 0 --bundles 0
	prover --mock
	wait_for accepted 3
	stop prover
	mkdir own/task.0.1.0
	mkfifo own/task.1.1.0
	ln -s nothing own/task.2.1.0
	truncate -s 600M own/task.3.1.0
	echo old >own/task.0.1.0.bad
	stop devnet
	rm -f ports stats
	devnet --chunks 3 --batches 0 --bundles 0
	prover --mock
	wait_for accepted 3
	wait_for no_tasks
	assert_equal "$(cat own/task.0.1.0.bad)" old
	assert_dir_exist own/task.0.1.0.bad.2
	for i in 1 2 3; do run -0 grep "event=task-file-bad .*file=task.$i.1.0 renamed=task.$i.1.0.bad code=task-bad" prover.err; done
}

@test "told to end it gives the try back, with status 0" {
	devnet --chunks 1 --batches 0 --bundles 0
	prover --mock -O mock_delay=1h -O workers=1
	wait_for test -e own/task.0.1.0
	run -100 prova-prover "${OPTS[@]}" --mock
	assert_output --partial "Another process works in this directory"
	stop prover
	assert_exist own/task.0.0.0
}

@test "the Coordinator is away while proofs finish: all arrive" {
	devnet --chunks 3 --batches 0 --bundles 0 --collection $((120 + AWAY_SECONDS))
	prover --mock -O mock_delay=500ms -O timeout=200ms
	wait_for has_events 3 proving
	since=$SECONDS
	kill -STOP "${PIDS[devnet]}"
	wait_for has_events 3 proved
	wait_for logged prover event=coordinator-silent
	wait_for logged prover 'event=submit-again .*posts=3'
	stay_away "$since"
	assert_equal "$(task_files)" 3
	kill -CONT "${PIDS[devnet]}"
	wait_for accepted 3
	wait_for no_files
	wait_for logged prover event=coordinator-answers
	assert_equal "$(events prover proving)" 3
}

# A proof of 2 MB, by path, and no file of the prover may be larger than 1 MB: as a disk that has no more.
@test "a proof that the disk does not take is submitted from memory" {
	devnet --chunks 2 --batches 0 --bundles 0
	cat >large <<'END'
#!/bin/sh
ulimit -S -f unlimited
while read -r line; do
	id=${line#*\"id\":} id=${id%%[,\}]*} sum=${line#*\"input_sha256\":\"} sum=${sum%%\"*}
	case $line in
	*capabilities*)	printf '{"id":%s,"ok":true,"sync":true}\n' "$id" ;;
	*)	printf '{"input_sha256":"%s","pad":"%02000000d"}' "$sum" 0 >proof
		printf '{"id":%s,"ok":true,"proof_path":"%s/proof"}\n' "$id" "$PWD" ;;
	esac
done
END
	chmod +x large
	trap '' XFSZ
	spawn prover bash -c 'ulimit -S -f 1024; exec prova-prover "$@"' sh "${OPTS[@]}" -O command=./large -O workers=1
	wait_for accepted 2
	wait_for no_files
	at_least 2 not-kept
	assert_equal "$(events prover submitted)" 2
	alive prover
}

@test "no Coordinator at the start: it waits, says so, and goes on" {
	devnet --chunks 1 --batches 0 --bundles 0
	kill -STOP "${PIDS[devnet]}"
	prover --mock -O timeout=200ms
	wait_for logged prover event=coordinator-silent
	kill -CONT "${PIDS[devnet]}"
	wait_for accepted 1
	alive prover
}

@test "a task that fails max_tries times is reported, and its file goes" {
	devnet --chunks 1 --batches 0 --bundles 0 --attempts 1
	prover --mock -O mock_fail=100 -O max_tries=2 -O workers=1
	wait_for logged prover event=reported
	wait_for no_files
	assert_equal "$(events prover proving)" 2
	run -0 grep 'event=task-failed .*tries=2 code=prover-failed' prover.err
	wait_for stat_is '[.refused[]] | add == 1'
	alive prover
}

# Another prover does all there is meanwhile.
@test "a prover whose command fails does not eat the Coordinator's tasks" {
	devnet --chunks 12 --batches 0 --bundles 0 --attempts 100
	wait_for stat_is ".chunks.unassigned == 12"
	prover --mock -O mock_fail=100 -O max_tries=1 -O poll=1h
	wait_for has_events 3 reported
	spawn good prova-prover "${OPTS[@]}" -O state_dir=good --mock
	wait_for accepted 12
	assert_equal "$(events prover task-fetched)" 3
	assert_equal "$(events prover failure-rest)" 1
	run -0 grep "event=failure-rest .*code=prover-failed why=.*mock_fail" prover.err
	alive prover
}

@test "a command that fails and is mended: the rest is over with the first proof" {
	devnet --chunks 4 --batches 0 --bundles 0 --attempts 100
	cat >mended <<'END'
#!/bin/sh
[ -e well ] && exec "$ROOT/pipelines/plugins/sha-prover"
while read -r line; do
	id=${line#*\"id\":} id=${id%%[,\}]*}
	case $line in
	*capabilities*)	printf '{"id":%s,"ok":true,"sync":true}\n' "$id" ;;
	*)	printf '{"id":%s,"ok":false,"error":"failed","message":"no GPU"}\n' "$id"
		[ ! -e well ] || exit 0 ;;
	esac
done
END
	chmod +x mended
	prover -O command=./mended -O max_tries=1 -O failure_rest=500ms
	wait_for at_least 6 reported
	touch well
	wait_for accepted 4
	wait_for logged prover "event=failure-rest-over .*failed="
}

@test "a command that ends in the middle is asked again, and then reported" {
	devnet --chunks 1 --batches 0 --bundles 0 --attempts 1
	cat >crash <<'END'
#!/bin/sh
read -r line
id=${line#*:} id=${id%%,*} id=${id%\}}
echo "{\"id\":$id,\"ok\":true,\"sync\":true}"
read -r line
exit 1
END
	chmod +x crash
	prover -O command=./crash -O max_tries=2 -O workers=1
	wait_for logged prover event=reported
	run -0 grep 'event=task-failed .*code=plugin-exit' prover.err
	assert_equal "$(events prover proving)" 2
}

@test "real traces and real batches are proved" {
	fixture trace >/dev/null	# may skip
	mkdir batches
	cp "$(fixture task)"/*batch*.json batches/
	devnet --traces "$(fixture trace)" --chunks 7 --blocks-per-chunk 3 --batches 2 --bundles 1 --task-dir "$PWD/batches"
	prover --mock
	wait_for -s 60 accepted 10
	wait_for no_files
	assert_equal "$(jq -c .refused stats)" '{}'
}

@test "answers that are lost, wrong or late: everything is accepted in the end" {
	devnet --chunks 8 --batches 2 --bundles 1 --collection 2 --attempts 1000 \
		--fault challenge:status=500:0.1 --fault login:drop:0.1 --fault get_task:status=500:0.1 --fault get_task:lost:0.1 \
		--fault submit_proof:lost:0.3 --fault submit_proof:status=503:0.2 --fault submit_proof:internal:0.1 \
		--fault submit_proof:expired:0.1 --fault l2:status=500:0.1 --fault l2:wrong-block:0.1
	prover --mock -O timeout=500ms -O workers=4 -O give_up=1h
	for state in unassigned assigned failed; do wait_for -s 60 nothing_is $state; done
	wait_for -s 60 no_files
	assert_equal "$(stat_is .chunks.verified)" 8
	assert_equal "$(stat_is .bundles.verified)" 1
}

task_ids() { sed -n 's/.* event=task-fetched .*type=chunk task=\([^ ]*\).*/\1/p' "$1.err"; }

has_ids() { [ "$(task_ids other | wc -l)" = "$1" ]; }

# devnet_of N OPTION...: a devnet of N chunks, whose ids are IDS: those that another one of the same seed has told
devnet_of() {
	devnet --chunks "$1" --batches 1 --bundles 0
	spawn other prova-prover "${OPTS[@]}" -O state_dir=other -O "workers=$1" --mock -O mock_delay=1h
	wait_for has_ids "$1"
	stop other
	mapfile -t IDS < <(task_ids other)
	stop devnet
	rm -f ports stats
	devnet --chunks "$1" --batches 1 --bundles 0 --task-by-id "${@:2}"
}

@test "handle: single tasks, by id or by file" {
	devnet_of 3
	run -0 --separate-stderr prova-prover "${OPTS[@]}" --mock handle "${IDS[0]}" "chunk:${IDS[1]}"
	assert_line "${IDS[0]} accepted"
	assert_line "${IDS[1]} accepted"
	wait_for accepted 2
	no_files
	run -1 --separate-stderr prova-prover "${OPTS[@]}" --mock handle "batch:${IDS[2]}" 0x12
	assert_line "${IDS[2]} refused: the Coordinator does not give it now"
	assert_line "0x12 refused: the Coordinator does not give it now"
	prova-prover "${OPTS[@]}" dump chunk "${IDS[2]}" input
	file=$(find own -name 'task.*')
	run -0 --separate-stderr prova-prover "${OPTS[@]}" --mock handle "$file"
	assert_output "${IDS[2]} accepted"
	no_files
	run -100 --separate-stderr prova-prover "${OPTS[@]}" --mock handle ./ports
}

@test "a proof whose task is not known is put aside, and taken again by handle" {
	devnet --chunks 20 --batches 0 --bundles 0 --fault submit_proof:internal:0.5
	prover --mock -O workers=1 -O give_up=10ms
	wait_for logged prover event=put-aside
	stop prover KILL || :
	file=$(find own -name 'aside.*' | head -n 1)
	run -0 --separate-stderr prova-prover "${OPTS[@]}" --mock -O workers=1 handle "$file"
	assert_output --regexp ' accepted$'
	assert_not_exist "$file"
}

@test "a proof that is not let through is put aside, and nobody is called silent" {
	devnet --chunks 1 --batches 0 --bundles 0 --fault submit_proof:status=413:1
	prover --mock -O workers=1 -O give_up=500ms
	wait_for logged prover 'event=put-aside .*HTTP 413'
	assert_equal "$(events prover submit-again)" 1
	run -1 grep event=coordinator-silent prover.err
}

@test "handle: nobody answers" {
	devnet
	stop devnet
	run -111 --separate-stderr prova-prover "${OPTS[@]}" --mock handle 0x12
	assert_output --partial "0x12 unanswered: "
}

@test "handle: a Coordinator that heeds no id gives another task, which is kept" {
	devnet --chunks 1 --batches 0 --bundles 0
	run -1 --separate-stderr prova-prover "${OPTS[@]}" --mock -O types=chunk handle 0x12
	assert_output "0x12 refused: the Coordinator gave another task, which is kept"
	assert_equal "$(task_files)" 1
	prover --mock
	wait_for accepted 1
}

@test "dump writes the input, to a file or standard output, and keeps the task" {
	devnet_of 1
	run -0 prova-prover "${OPTS[@]}" dump chunk "${IDS[0]}" input
	assert_equal "$(task_files)" 1
	want=$(curl -sS "http://127.0.0.1:$COORDINATOR/devnet/task/${IDS[0]}" | jq -r .input_sha256)
	assert_equal "$(sha256sum <input | cut -d ' ' -f 1)" "$want"
	prova-prover "${OPTS[@]}" dump chunk "${IDS[0]}" >again
	cmp input again
	assert_equal "$(jq length input)" 2
	run -1 prova-prover "${OPTS[@]}" dump batch 0x12
	assert_output --partial "0x12: the Coordinator does not give it now"
	run -111 prova-prover "${OPTS[@]}" dump chunk "${IDS[0]}" /nonexistent/input
	prover --mock
	wait_for accepted 2
}

@test "a seed that others can read is refused" {
	devnet
	mkdir own
	printf '%064d\n' 7 >own/seed
	chmod 644 own/seed
	run -100 prova-prover "${OPTS[@]}" --mock
	assert_output --partial "the seed is open to others"
}
