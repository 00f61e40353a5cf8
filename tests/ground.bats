# ground.bats - what every other test stands on: packages, helper, the fuzz targets' replay.
load helper

@test "setup says nothing when nothing is missing" {
	run -0 "$ROOT/pipelines/setup" -n
	assert_output ""
}

@test "setup without root and sudo says what to install" {
	[ -x /usr/bin/setpriv ] || skip "no setpriv"
	[ "$(id -u)" -eq 0 ] || skip "not root"
	mkdir -p tree/pipelines bin
	cp "$ROOT/pipelines/setup" tree/pipelines/
	echo "no-such-package # wanted" >tree/pipelines/packages
	ln -s /usr/bin/{dpkg-query,id,sed,dirname} bin/
	chmod 755 . tree tree/pipelines
	cp -r tree bin "$BATS_RUN_TMPDIR/" && chmod 755 "$BATS_RUN_TMPDIR"
	run -111 setpriv --reuid=65534 --regid=65534 --clear-groups env PATH="$BATS_RUN_TMPDIR/bin" /bin/sh "$BATS_RUN_TMPDIR/tree/pipelines/setup" -n
	assert_output --partial "installing no-such-package"
	assert_output --partial "apt-get install no-such-package"
}

@test "what was spawned is ended, also when it is stopped" {
	spawn sleeper sleep 1000
	pid=${PIDS[sleeper]}
	wait_for alive sleeper
	kill -STOP "$pid"
	stop_all
	run ! kill -0 "$pid"
}

@test "wait_for gives up and says on what" {
	run -1 wait_for -s 0 false
	assert_output "waited 0 s for: false"
}

@test "the run directory's settings are accepted by every stage" {
	run_dir
	assert_file_exists "$CONF"
	for program in "$PROVA_BUILD"/bin/prova-*; do
		case ${program##*/} in prova-devnet | prova-prover | prova-dispatch-*) continue ;; esac
		[ -x "$program" ] || continue
		run -0 "$program" -c "$CONF" -n
	done
}
