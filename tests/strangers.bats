# strangers.bats - who is refused at the door of dispatch-coordinator, and how: meanwhile an honest prover is served, and
# afterwards nothing is left of it.
# shellcheck disable=SC2004,SC2034,SC2153,SC2154,SC2030,SC2031 # variables of helper and bats (PIDS has names)
load helper
load world
load door

DOOR=front-dispatch-coordinator.farm
STRANGER=$PROVA_BUILD/tests/tools/stranger
stranger() { "$STRANGER" "$@"; }

# open_door [SETTING]: with an honest prover that has work for a while
open_door() {
	devnet --chunks 2000 --batches 0 --bundles 0 --collection 600
	front "hold = 1s\\nahead = 4\\n${1:-}"
	prover honest -O mock_delay=50ms -O workers=2
	wait_for has_events honest submitted 1
	DOOR_FDS=$(descriptors) DOOR_KB=$(memory)
}
descriptors() { find "/proc/${PIDS[$DOOR]}/fd" -mindepth 1 | wc -l; }
memory() { awk '/^Pss:/ { print $2 }' "/proc/${PIDS[$DOOR]}/smaps_rollup"; }

# served: the honest prover is, now
served() {
	local before
	before=$(events honest submitted)
	wait_for has_events honest submitted $((before + 2))
}
few_descriptors() { [ "$(descriptors)" -le $((DOOR_FDS + 8)) ]; }

# closed [KB]: the door has come through it, and has let go of everything
closed() {
	served
	wait_for few_descriptors
	[ "$(memory)" -le $((DOOR_KB + ${1:-8192})) ] || fail "it had $DOOR_KB KB, and has $(memory) KB"
	stop honest
	stop "$DOOR"
}

challenge() { ask challenge | jq -r .data.token; }
# sign_in BODY: post it; its challenge is the token
sign_in() { ask login -H "Authorization: Bearer $(jq -r .message.challenge <<<"$1")" -H 'Content-Type: application/json' -d "$1"; }
# token_of INDEX: sign in as it
token_of() { sign_in "$(stranger sign "$1" "$(challenge)")" | jq -r .data.token; }
# call TOKEN PATH BODY [OPTION...]: BODY may be @FILE
call() {
	local token=$1 path=$2 body=$3
	shift 3
	ask "$path" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -H 'Expect:' --data-binary "$body" "$@"
}
want='{"task_types":[1],"prover_height":100000}'
# get TOKEN: UUID and TASK are those of the task it is given
get() {
	local answer
	for _ in {1..30}; do
		answer=$(call "$1" get_task "$want")
		[ "$(jq .errcode <<<"$answer")" != 0 ] || break
	done
	read -r UUID TASK < <(jq -r '"\(.data.uuid) \(.data.task_id)"' <<<"$answer")
	[ "$UUID" != null ]
}
submit_file() { stranger proof "$1" "$2" "$3" >"$4"; }
verdict() { jq -c '[.errcode, .errmsg]' <<<"$1"; }
# attempts_of TASK: what became of them, the oldest first
attempts_of() { IN=front store "SELECT a.provider, a.state, coalesce(a.owed, 0) FROM attempt a JOIN work w ON w.id = a.work WHERE w.task = '$1' ORDER BY a.id"; }

@test "logins and tokens: bad signature, other or unknown key, NUL in the name; used, foreign, old, cut, none" {
	devnet --chunks 0 --batches 0 --bundles 0
	prover early
	wait_for grep -q event=started early.err
	key=$(sed -n 's/.* first_key=//p' early.err)
	stop early
	stop devnet
	mv early honest
	PIDS=()
	rm devnet.ports
	open_door "provers = $key $(stranger key 1) $(stranger key 2)"
	bad='[50000,"check the login parameter failure: '
	run -0 verdict "$(sign_in "$(stranger sign 1 "$(challenge)" signature)")"
	assert_output "${bad}auth message verify failure\"]"
	run -0 verdict "$(sign_in "$(stranger sign 1 "$(challenge)" other)")"
	assert_output "${bad}auth message verify failure\"]"
	run -0 verdict "$(sign_in "$(stranger sign 3 "$(challenge)")")"
	assert_output "${bad}public key $(stranger key 3) is not admitted\"]"
	run -0 verdict "$(sign_in "$(stranger sign 1 "$(challenge)" name)")"
	assert_output "${bad}prover name has a nul inside\"]"

	# one challenge: a login, the same again, and another's
	once=$(challenge)
	first=$(sign_in "$(stranger sign 1 "$once")")
	assert_equal "$(jq .errcode <<<"$first")" 0
	assert_equal "$(sign_in "$(stranger sign 1 "$once")")" "$first"
	run -0 verdict "$(sign_in "$(stranger sign 2 "$once")")"
	assert_output "[50000,\"login insert challenge string failure:the challenge string:${once,,} have been used\"]"

	# a challenge that another has made, one that is over, and none
	run -0 verdict "$(sign_in "$(stranger sign 1 "$(stranger token secret 1 60)")")"
	assert_output '[50000,"signature is invalid"]'
	run -0 verdict "$(sign_in "$(stranger sign 1 "$(stranger token front/state/dispatch-coordinator.farm/secret 1 -1)")")"
	assert_output '[50001,"token is expired"]'
	run -0 verdict "$(sign_in "$(stranger sign 1 garbage)")"
	assert_output '[50000,"token contains an invalid number of segments"]'
	run -0 verdict "$(call "$(challenge)" login "$(stranger sign 1 "$once")")"
	assert_output '[50000,"check challenge failure for the not equal challenge string"]'

	# get_task and submit_proof: a token of another secret, over, cut, a challenge, none
	secret=front/state/dispatch-coordinator.farm/secret
	good=$(stranger token $secret 1 600)
	for path in get_task submit_proof; do
		for token in "$(stranger token mine 1 600)" "$(stranger token $secret 1 -1)" "${good%?}" "$(challenge)" ''; do
			run -0 verdict "$(call "$token" $path "$want")"
			assert_output '[50001,"token is expired"]'
		done
	done
	run -0 jq .errcode <<<"$(call "$good" get_task "$want")"
	refute_output 50001
	closed
}

@test "proofs: for another's uuid, for none, wrong, twice; a wrong one is not paid, and another provider proves the task" {
	MORE="[provider one]
command = $ROOT/pipelines/plugins/sha-prover
poll = 20ms
price = 0.25" CHAIN="verify = $ROOT/pipelines/plugins/sha-prover\\ntiers = farm | one" open_door
	start front dispatch-exec.one
	mine=$(token_of 1) other=$(token_of 2)
	get "$mine"
	submit_file "$UUID" "$TASK" 100 wrong
	none='[20003,"handle zk proof failure, err:validator failure get none prover task for the proof"]'
	run -0 verdict "$(call "$other" submit_proof @wrong)"
	assert_output "$none"
	submit_file "$(tr 0-9a-f 1-9a-f0 <<<"$UUID")" "$TASK" 100 nobodys
	run -0 verdict "$(call "$mine" submit_proof @nobodys)"
	assert_output "$none"
	for _ in once twice; do
		run -0 verdict "$(call "$mine" submit_proof @wrong)"
		assert_output '[0,""]'
	done
	paid() { attempts_of "$TASK" | grep -q '^one|32|250000$'; }
	wait_for paid
	run -0 attempts_of "$TASK"
	assert_line --index 0 --regexp '^farm\|3[3-9]\|0$'
	# late, and again: as a success, and nothing comes of it
	run -0 verdict "$(call "$mine" submit_proof @wrong)"
	assert_output '[0,""]'
	run -0 attempts_of "$TASK"
	assert_line --index 0 --regexp '^farm\|3[3-9]\|0$'
	assert_line --index 1 'one|32|250000'
	closed
	check_books front
}

# proof_of SHA256: a finished proof of the task that was got, as sha-prover makes it
proof_of() {
	jq -nc --arg uuid "$UUID" --arg task "$TASK" --arg proof "{\"input_sha256\":\"$1\"}" \
		'{uuid: $uuid, task_id: $task, task_type: 1, status: 0, proof: $proof}'
}
input_of() { IN=front store "SELECT lower(hex(input_blob)) FROM work WHERE task = '$1'"; }

@test "a wrong proof, and then the right one of the same prover: the right one is used, also when they come at once" {
	local mine
	CHAIN="verify = $ROOT/pipelines/plugins/sha-prover\ntiers = farm" open_door
	mine=$(token_of 1)
	get "$mine"
	run -0 verdict "$(call "$mine" submit_proof "$(proof_of 00)")"
	assert_output '[0,""]'
	failed() { attempts_of "$TASK" | grep -q '^farm|33|'; }
	wait_for failed
	run -0 verdict "$(call "$mine" submit_proof "$(proof_of "$(input_of "$TASK")")")"
	assert_output '[0,""]'
	used() { attempts_of "$TASK" | grep -q '^farm|32|'; }
	wait_for used

	get "$mine"
	kill -STOP "${PIDS[front-ledger]}"
	call "$mine" submit_proof "$(proof_of 00)" -o wrong -w '%{http_code}\n' >wrong.status &
	PIDS[wrong]=$!
	sleep 0.5
	call "$mine" submit_proof "$(proof_of "$(input_of "$TASK")")" -o right -w '%{http_code}\n' >right.status &
	PIDS[right]=$!
	sleep 0.5
	kill -CONT "${PIDS[front-ledger]}"
	wait "${PIDS[wrong]}" "${PIDS[right]}"
	# while the first is judged the second is not taken, and may come again
	run -0 sort -u wrong.status right.status
	assert_output --regexp $'^200(\n503)?$'
	taken() { call "$mine" submit_proof "$(proof_of "$(input_of "$TASK")")" | jq -e '.errcode == 0' >/dev/null; }
	wait_for taken
	wait_for used
	closed
	check_books front
}

@test "large bodies: a proof of 50 MB is taken, more than max_proof is drained and refused, a stranger's is not kept" {
	open_door "max_proof = 52M"
	mine=$(token_of 1)
	get "$mine"
	submit_file "$UUID" "$TASK" 50000000 large
	submit_file "$UUID" "$TASK" 60000000 larger
	run -0 verdict "$(call "$mine" submit_proof @large)"
	assert_output '[0,""]'
	# on one connection: too large, then a small one
	run -0 curl -s -w '%{http_code} %{num_connects}\n' -H "Authorization: Bearer $mine" -H 'Expect:' --data-binary @larger \
		"$FRONT_URL/coordinator/v1/submit_proof" --next -s -w ' %{num_connects}\n' "$FRONT_URL/coordinator/v1/nothing"
	assert_line --index 0 '413 1'
	assert_line --index 1 '404 page not found 0'
	for _ in {1..5}; do
		call "$(stranger token mine 1 60)" submit_proof @large >answer &
		jobs+=($!)
		run -0 verdict "$(call none submit_proof @larger)"
		assert_output '[50001,"token is expired"]'
	done
	wait "${jobs[@]}"
	closed 65536
}

@test "slow and half-open connections: hundreds of each, and others are served" {
	open_door "connections = 40"
	spawn silent "$STRANGER" hold "$PORT" 300 60 ''
	spawn heads "$STRANGER" hold "$PORT" 300 60 $'GET /coordinator/v1/challenge HTTP/1.1\r\nHost: x\r\nX-Slow: '
	spawn bodies "$STRANGER" hold "$PORT" 30 60 $'POST /coordinator/v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{'
	for name in silent heads bodies; do wait_for grep -q open $name.out; done
	served
	assert_equal "$(curl -s -o answer -w '%{http_code}' "$FRONT_URL/coordinator/v1/challenge")" 200
	[ "$(descriptors)" -le $((DOOR_FDS + 40 + 64)) ]
	for name in silent heads bodies; do stop $name || :; done
	closed
}

@test "a burst of 10,000 logins: all are answered, and others meanwhile" {
	open_door
	spawn burst "$STRANGER" burst "$PORT" 10000 64
	served
	wait_for -s 60 grep -q tokens burst.out
	assert_equal "$(<burst.out)" "10000 tokens, 0 refused, 0 unanswered"
	closed 16384
}

@test "garbage, and odd but right HTTP" {
	open_door
	for text in $'\0\0\0\0' 'GET' $'GET / HTTP/9.9\r\n\r\n' $'\r\n\r\n\r\n' $'POST /coordinator/v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n' \
		$'POST /coordinator/v1/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n' $'GET /%00%ff HTTP/1.1\r\nHost\r\n\r\n' \
		$'GET /coordinator/v1/challenge HTTP/1.1\r\n\r\n' $'POST /coordinator/v1/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n' \
		$'POST /coordinator/v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}' \
		$'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' "GET /$(printf '%020000d' 0) HTTP/1.1"; do
		stranger say "$PORT" 300 <<<"$text" >answer
		run -1 grep '^HTTP/1.1 [02]' answer
	done
	head -c 1000000 /dev/urandom | stranger say "$PORT" 300 >answer
	printf 'GET /\0/coordinator HTTP/1.1\r\n\0: \0\r\n\r\n' | stranger say "$PORT" 300 >answer

	# five at once on one connection: five answers
	for _ in {1..5}; do printf 'GET /coordinator/v1/challenge HTTP/1.1\r\nHost: x\r\n\r\n'; done | stranger say "$PORT" 300 >answer
	assert_equal "$(grep -ao 'HTTP/1.1 200' answer | wc -l)" 5
	assert_equal "$(grep -ao '"token":"[^"]*"' answer | sort -u | wc -l)" 5
	# HTTP/1.0, and a login in chunks
	printf 'GET /coordinator/v1/challenge HTTP/1.0\r\n\r\n' | stranger say "$PORT" 5000 >answer
	assert_equal "$(grep -ac '"errcode":0' answer)" 1
	run -0 ask login -H 'Transfer-Encoding: chunked' -H 'Content-Type: application/json' -H "Authorization: Bearer ${c:=$(challenge)}" \
		-d "$(stranger sign 1 "$c")"
	assert_equal "$(jq .errcode <<<"$output")" 0
	closed
}

@test "a proof is half here when the door is told to end: it ends, and takes the whole one afterwards" {
	open_door
	mine=$(token_of 1)
	get "$mine"
	submit_file "$UUID" "$TASK" 20000000 large
	spawn half call "$mine" submit_proof @large --limit-rate 5M
	sleep 1
	stop "$DOOR"
	wait "${PIDS[half]}" || :
	unset 'PIDS[half]'
	run -1 test -s half.out
	knock
	wait_for call "$mine" get_task '{}'
	get "$mine"
	submit_file "$UUID" "$TASK" 20000000 again
	cmp large again
	run -0 verdict "$(call "$mine" submit_proof @again)"
	assert_output '[0,""]'
	served
}

@test "a prover that asks, sends a line more and goes before there is work is given nothing, and is no capacity" {
	devnet --chunks 1 --batches 0 --bundles 0 --collection 600
	CHAIN='verify = none\\ntiers = farm' TRACE='' front "take = 3s\\nhold = 60s\\nahead = 1"
	who=$(token_of 1)
	exec 7<>"/dev/tcp/127.0.0.1/$PORT"
	printf 'POST /coordinator/v1/get_task HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s' \
		"$who" ${#want} "$want" >&7
	tells() { env -C front prova -c prova.conf status | grep -q "$1"; }
	wait_for tells '1 provers wait, 0 prove'
	printf '\r\n' >&7
	sleep 0.3
	exec 7>&-
	wait_for tells 'no prover asks for work'
	start front trace-build
	codes() { IN=front store "SELECT DISTINCT code FROM history WHERE kind = 3 AND after >= 32" | grep .; }
	wait_for -s 60 codes
	tells "dispatch-coordinator.farm .* farm, 1 slots .* no prover asks for work"
	assert_equal "$(codes)" 92
}
