#!/usr/bin/env bats
# prova-devnet as a program: its doors, its files, its call.
load helper

# start_devnet OPTION...: ports in $COORDINATOR and $L2.
start_devnet() {
	spawn devnet prova-devnet --listen 127.0.0.1:0 --l2-listen 127.0.0.1:0 --ports ports --cron 0.05 "$@"
	wait_for test -s ports
	# shellcheck source=/dev/null
	. ./ports
}

rpc() {
	curl -sS -d "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$1\",\"params\":$2}" "http://127.0.0.1:$L2"
}

@test "wrong calls end with 100" {
	run -100 prova-devnet --chunks many
	run -100 prova-devnet --nonsense
	run -100 prova-devnet --listen
	run -100 prova-devnet operand
	run -100 prova-devnet --attempts 0
	run -100 prova-devnet --listen 127.0.0.1:0 --l2-listen 127.0.0.1:0 --fault all:nonsense:1
	assert_output --partial "--fault all:nonsense:1"
	run -100 prova-devnet --listen 127.0.0.1:0 --l2-listen 127.0.0.1:0 --traces /nonexistent
	assert_output --partial /nonexistent
}

@test "an address in use ends with 111" {
	start_devnet
	run -111 prova-devnet --listen "127.0.0.1:$COORDINATOR"
	assert_output --partial "cannot listen"
}

@test "blocks chain, and a trace is the same bytes each time" {
	start_devnet --chunks 2 --blocks-per-chunk 2 --trace-bytes 200k
	assert_equal "$(rpc eth_blockNumber '[]' | jq -r .result)" 0x4
	rpc scroll_getBlockTraceByNumberOrHash '["0x2"]' >two
	rpc scroll_getBlockTraceByNumberOrHash '["0x3"]' >three
	hash=$(jq -r .result.header.hash two)
	assert_equal "$(jq -r .result.header.parentHash three)" "$hash"
	rpc scroll_getBlockTraceByNumberOrHash "[\"$hash\"]" | cmp - two
	assert [ "$(stat -c %s two)" -gt 190000 ]
	assert_equal "$(rpc eth_getBlockByHash "[\"$hash\",false]" | jq -r .result.number)" 0x2
}

@test "the same seed gives the same chain, another seed another" {
	start_devnet --seed 5
	rpc scroll_getBlockTraceByNumberOrHash '["0x1"]' >first
	stop devnet
	rm ports
	start_devnet --seed 5
	rpc scroll_getBlockTraceByNumberOrHash '["0x1"]' | cmp - first
	stop devnet
	rm ports
	start_devnet --seed 6
	run -1 cmp -s first <(rpc scroll_getBlockTraceByNumberOrHash '["0x1"]')
}

@test "the Coordinator's doors have the real one's answers" {
	start_devnet
	url=http://127.0.0.1:$COORDINATOR/coordinator/v1
	run -0 curl -sS "$url/challenge"
	assert_equal "$(jq -r .errcode <<<"$output")" 0
	run -0 curl -sSi -X POST "$url/get_task"
	assert_output --partial 'Www-Authenticate: JWT realm=gin jwt'
	assert_output --partial '{"errcode":50000,"errmsg":"cookie token is empty","data":null}'
	run -0 curl -sS -w ' %{http_code}' "$url/nothing"
	assert_output "404 page not found 404"
	run -0 curl -sS "http://127.0.0.1:$COORDINATOR/devnet/stats"
	assert_equal "$(jq -c .chunks <<<"$output")" '{"total":6,"unassigned":6,"assigned":0,"verified":0,"failed":0}'
	assert_equal "$(jq -c .refused <<<"$output")" '{"TOKEN_BAD":1}'
}

@test "statistics are written when they change" {
	start_devnet --stats stats --chunks 3
	wait_for test -s stats
	assert_equal "$(jq .chunks.total stats)" 3
	curl -sS "http://127.0.0.1:$COORDINATOR/coordinator/v1/login" -X POST
	wait_for jq -e '.refused.TOKEN_BAD == 1' stats
}

@test "real traces are served as they are" {
	fixture trace >/dev/null	# may skip
	traces=$(fixture trace)
	start_devnet --traces "$traces" --chunks 7 --blocks-per-chunk 3
	assert_equal "$(rpc eth_blockNumber '[]' | jq -r .result)" 0x2266
	hash=$(jq -r .header.hash "$traces/sp_b3_chunk10_block_529.json")
	rpc scroll_getBlockTraceByNumberOrHash "[\"$hash\"]" >got
	assert_equal "$(jq -S .result got | sha256sum)" "$(jq -S . "$traces/sp_b3_chunk10_block_529.json" | sha256sum)"
}

@test "what is long comes in chunks, as from the real one" {
	start_devnet
	run -0 curl -sSi "http://127.0.0.1:$COORDINATOR/coordinator/v1/challenge"
	assert_output --partial "Content-Length: "
	run -0 curl -sSi -d '{"id":1,"method":"scroll_getBlockTraceByNumberOrHash","params":["0x1"]}' "http://127.0.0.1:$L2"
	assert_output --partial "Transfer-Encoding: chunked"
	run -0 curl -sSi "http://127.0.0.1:$COORDINATOR/coordinator/v1/challenge/"
	assert_line --partial "301 Moved Permanently"
	assert_line --partial "Location: /coordinator/v1/challenge"
	run -0 curl -sS -o /dev/null -w '%{http_code}' "http://127.0.0.1:$COORDINATOR/coordinator/v1/challeng%65"
	assert_output 200
	run -0 curl -sS -o /dev/null -w '%{http_code}' -I "http://127.0.0.1:$COORDINATOR/coordinator/v1/challenge"
	assert_output 404
}

# status_of FAULT: what curl says of a challenge or an L2 call: HTTP status and exit status
status_of() {
	local url=http://127.0.0.1:$COORDINATOR/coordinator/v1/$1
	shift
	curl -sS -m 20 -o got -w '%{http_code}' "$@" "$url" 2>/dev/null || echo " $?"
}

@test "faults are done, and counted" {
	start_devnet --fault challenge:status=503:1 --fault login:drop:1 --fault get_task:expired:1 --fault submit_proof:internal:1 --fault l2:null:1
	assert_equal "$(status_of challenge)" 503
	assert_equal "$(status_of login -d '{}')" "000 52"
	assert_equal "$(status_of get_task -d '{}')" 200
	assert_equal "$(cat got)" '{"errcode":50001,"errmsg":"token is expired","data":null}'
	assert_equal "$(status_of submit_proof -d '{}')" 200
	assert_equal "$(jq .errcode got)" 20003
	assert_equal "$(rpc eth_blockNumber '[]')" '{"jsonrpc":"2.0","id":1,"result":null}'
	run -0 curl -sS "http://127.0.0.1:$COORDINATOR/devnet/stats"
	assert_equal "$(jq -c .faults <<<"$output")" \
		'{"challenge:status=503:1":1,"login:drop:1":1,"get_task:expired:1":1,"submit_proof:internal:1":1,"l2:null:1":1}'
	stop devnet
	rm ports
	start_devnet --fault challenge:half:1 --fault login:lost:1 --fault get_task:garbage:1 --fault l2:delay=0.3:1
	assert_equal "$(status_of challenge)" "200 18"
	assert_equal "$(status_of login -d '{}')" "000 52"
	assert_equal "$(status_of get_task -d '{}')" 200
	assert_regex "$(cat got)" '^<html>'
	run -28 curl -sS -m 0.05 -d '{"id":1,"method":"eth_blockNumber"}' "http://127.0.0.1:$L2"
	assert_equal "$(rpc eth_blockNumber '[]' | jq -r .result)" 0xc
	run -0 curl -sS "http://127.0.0.1:$COORDINATOR/devnet/stats"
	assert_equal "$(jq -c .faults.\"l2:delay=0.3:1\" <<<"$output")" 2
	assert_equal "$(jq -c .refused <<<"$output")" '{"TOKEN_BAD":1}'
}

@test "it ends by SIGTERM with 0" {
	start_devnet
	stop devnet
}
