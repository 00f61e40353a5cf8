# door.bash - a pipeline in front/ to whose provider farm provers come:  load helper; load world; load door
# shellcheck shell=bash
# shellcheck disable=SC2004,SC2034,SC2153,SC2154 # variables of helper and bats (PIDS has names)

port_of() { sed -n 's/.* event=listening port=//p' "$1.err" | tail -n 1; }

# start DIR INSTANCE...: stages of the pipeline in DIR, each a process
start() {
	local dir=$1 name key
	shift
	for name; do
		key=$dir-$name
		if [ "$name" = ledger ]; then
			(cd "$dir" && exec prova-ledger -c prova.conf) >>"$key.out" 2>>"$key.err" </dev/null 3>&- &
		else
			(cd "$dir" && exec "prova-${name%%.*}" -c prova.conf -I "$name") >>"$key.out" 2>>"$key.err" </dev/null 3>&- &
		fi
		PIDS[$key]=$!
	done
}

# front [SETTING]: the first pipeline, in front/, whose provider is whoever comes to farm; PORT is farm's.
# CHAIN is what its chain says besides, MORE are other sections; with an empty TRACE no trace-build runs, and nothing comes to be proved.
front() {
	mkdir front
	(cd front && run_dir && sed -i -e 's/^\[provider one\]/[provider farm]/' -e "s~^verify = none~${CHAIN:-&}~" \
		-e "s|^command = .*|listen = 127.0.0.1:${PORT:-0}\n${1:-}|" prova.conf && printf '%s\n' "${MORE:-}" >>prova.conf)
	start front ledger task-fetch allocate dispatch-coordinator.farm submit
	[ -z "${TRACE-on}" ] || start front trace-build
	wait_for grep -q event=listening front-dispatch-coordinator.farm.err
	PORT=$(port_of front-dispatch-coordinator.farm)
	FRONT_URL=http://127.0.0.1:$PORT
}

check_books() {
	for dir; do
		run -0 env -C "$dir" prova-ledger -c prova.conf -C
		run -0 jq -r .ok <<<"$output"
		assert_output true
	done
}

ask() {	# path, curl's options
	local path=$1
	shift
	curl -s "$@" "$FRONT_URL/coordinator/v1/$path"
}

# knock: a new door where the old one was
knock() {
	sed -i "s|^listen = .*|listen = 127.0.0.1:$PORT|" front/prova.conf
	start front dispatch-coordinator.farm
}

# prover NAME OPTION...: a prova-prover for the door
prover() {
	local name=$1
	shift
	spawn "$name" prova-prover --mock -O "url=${FRONT_URL:-http://127.0.0.1:1}" -O "l2_urls=$L2_URL" -O "state_dir=$name" -O poll=50ms \
		-O stagger=1ms -O backoff_max=300ms -O timeout=5s -O log=debug "$@"
}
# events NAME EVENT: how many of these lines NAME has written
events() { grep -c " event=$2 " "$1.err" || :; }
has_events() { [ "$(events "$1" "$2")" -ge "$3" ]; }
