# ledger.bats - prova-ledger as a program: lock, store, kills, the check, settings.
# What it answers to stages is tested by the simulation and with the stages.
load helper

start() { spawn ledger prova-ledger -c "$CONF" "$@"; }
# so many times it has begun to serve
began() { [ "$(grep -c event=started ledger.err)" -ge "$1" ]; }
term() { sed -n 's/.*event=started.* term=\([0-9]*\).*/\1/p' ledger.err | tail -n 1; }
welcomed() { [ "$(grep -c event=ledger-there "$1.err")" -ge "$2" ]; }
ledger_id() { sed -n 's/.*event=started.* ledger=\([0-9a-f]*\).*/\1/p' ledger.err | tail -n 1; }

teardown() {
	stop_all
	[ ! -d small ] || umount small 2>/dev/null || :
	[ -n "${BATS_TEST_COMPLETED:-}" ] || show_logs >&2
}

@test "usage, version, settings" {
	run_dir
	run -0 prova-ledger -h
	assert_output "usage: prova-ledger [-CdhnvV] [-c file] [-O key=value] [--ledger endpoint]"
	run -0 prova-ledger -V
	assert_output --regexp '^prova-ledger [0-9.]+$'
	run -0 prova-ledger -c "$CONF" -n
	assert_output "settings are fine"
	run -0 prova-ledger -c "$CONF" -O grace=7m -d
	assert_output --partial "stage ledger grace = 7m"
	run -100 prova-ledger -c "$CONF" extra
	run -100 prova-ledger -I ledger
	assert_not_exist run/ledger.lock
}

@test "an unknown key exits 100 and is shown with file and line" {
	run_dir
	printf '[stage ledger]\nretries = 3\n' >>"$CONF"
	run -100 prova-ledger -c "$CONF" -n
	assert_output --partial "$CONF:$(wc -l <"$CONF"): "
	assert_output --partial retries
	run -100 prova-ledger -c "$CONF"
}

@test "a second process exits 100 and does the first no harm" {
	run_dir
	start
	wait_for began 1
	run -100 prova-ledger -c "$CONF"
	assert_output --partial "run/ledger.lock: locked"
	assert alive ledger
	stop ledger
}

@test "a kill loses neither the store nor the lock; each start is a new term" {
	run_dir
	start
	wait_for began 1
	id=$(ledger_id)
	for n in 2 3 4; do
		stop ledger KILL || :
		start
		wait_for began $n
		assert_equal "$(term)" $n
		assert_equal "$(ledger_id)" "$id"
	done
	assert stop ledger
	run -1 logged ledger level=error
}

@test "a stage is welcomed, and again after a kill of the ledger" {
	run_dir
	spawn allocate prova-allocate -c "$CONF"
	start
	wait_for logged allocate event=ledger-there
	stop ledger KILL || :
	wait_for logged allocate event=ledger-away
	start
	wait_for began 2
	wait_for welcomed allocate 2
	stop allocate
	stop ledger
}

@test "the check says that a store is well, also while the ledger is at work" {
	run_dir
	run -111 prova-ledger -c "$CONF" -C
	start
	wait_for began 1
	run -0 prova-ledger -c "$CONF" -C
	echo "$output" | jq -e '.ok and .nerrors == 0'
	stop ledger
	run -0 prova-ledger -c "$CONF" -C
	run -100 prova-ledger -c "$CONF" -O prova.store=memory: -C
}

@test "the check finds an amount that does not balance" {
	run_dir
	start
	wait_for began 1
	stop ledger
	sqlite3 state/ledger/prova.db "INSERT INTO account VALUES(1, 'owed:one', 0);
	    INSERT INTO entry VALUES(1, 3, 1, 1, 0, 1, 250000);"
	run -1 prova-ledger -c "$CONF" -C
	echo "$output" | jq -e '.ok == false and .nerrors > 0'
}

@test "a store of a newer release is left alone: 100" {
	run_dir
	start
	wait_for began 1
	stop ledger
	sqlite3 state/ledger/prova.db "UPDATE meta SET value = 999 WHERE name = 'schema'"
	run -100 prova-ledger -c "$CONF"
	assert_output --partial schema
}

@test "the store in memory" {
	run_dir
	start -O prova.store=memory:
	wait_for began 1
	assert_not_exist state/ledger/prova.db
	assert stop ledger
}

@test "a ledger whose store has a younger term stops with 111" {
	run_dir
	start
	wait_for began 1
	spawn other prova-ledger -c "$CONF" -O prova.run_dir=other -O prova.ledger=ipc://other/ledger
	wait_for logged other event=started
	spawn allocate prova-allocate -c "$CONF"
	wait_for logged ledger event=deposed
	status=0
	stop ledger CONT || status=$?
	assert_equal "$status" 111
	assert alive other
}

@test "old blobs and temporary files that nobody names are deleted" {
	run_dir
	mkdir -p blobs/ab
	name=ab$(printf '%062d' 0)
	young=ab$(printf '%062d' 1)
	touch -d '1 hour ago' "blobs/ab/$name" blobs/tmp.abcdef
	touch -d '1 hour' "blobs/ab/$young"
	start -O grace=1s
	wait_for logged ledger "event=swept blobs=1 bytes=0 temporary=1"
	assert_not_exist "blobs/ab/$name"
	assert_not_exist blobs/tmp.abcdef
	assert_exist "blobs/ab/$young"
	stop ledger
}

@test "a full disk is waited for, at the start and later" {
	[ "$(id -u)" -eq 0 ] || skip "not root"
	run_dir
	mkdir small
	mount -t tmpfs -o size=1m none small || skip "no tmpfs"
	head -c 2m /dev/zero >small/filler || :
	start -O prova.store=small/ledger/prova.db
	wait_for logged ledger event=store-away
	rm small/filler
	wait_for began 1
	head -c 2m /dev/zero >small/filler || :
	for n in 1 2 3 4 5; do spawn "allocate$n" prova-allocate -c "$CONF" -I "allocate.n$n"; done
	wait_for logged ledger "event=disk code=disk"
	rm small/filler
	wait_for logged ledger 'event=disk text="the store takes writes again"'
	for n in 1 2 3 4 5; do wait_for logged "allocate$n" event=ledger-there; done
	for n in 1 2 3 4 5; do stop "allocate$n"; done
	assert stop ledger
}
