# install.bats - make install and uninstall below a DESTDIR.
load helper

install_to() { make -s -C "$ROOT" install DESTDIR="$PWD/root" "$@"; }
uninstall_from() { make -s -C "$ROOT" uninstall DESTDIR="$PWD/root" "$@"; }

@test "everything is there, with the right modes" {
	run -0 install_to
	for program in "$ROOT"/cmd/*/main.c; do
		name=$(basename "$(dirname "$program")")
		[ "$name" = prova ] || name=prova-$name
		assert_file_executable "root/usr/bin/$name"
	done
	for page in "$ROOT"/man/*.[1-8]; do
		assert_file_exists "root/usr/share/man/man${page##*.}/${page##*/}"
	done
	for unit in "$ROOT"/systemd/*.service "$ROOT"/systemd/*.target; do
		assert_file_exists "root/usr/lib/systemd/system/${unit##*/}"
	done
	for plugin in "$ROOT"/pipelines/plugins/*; do
		assert_file_executable "root/usr/lib/prova/plugins/${plugin##*/}"
	done
	assert_file_exists root/usr/lib/sysusers.d/prova.conf
	assert_file_exists root/usr/lib/tmpfiles.d/prova.conf
	assert_file_exists root/etc/prova/prova.conf
	run -0 root/usr/bin/prova-ledger -c root/etc/prova/prova.conf -n
	run -0 root/usr/bin/prova -c root/etc/prova/prova.conf check
	refute_line --regexp ^FAIL
}

@test "another PREFIX is followed by the units" {
	run -0 install_to PREFIX=/opt/prova
	run -0 grep -h ^ExecStart= root/opt/prova/lib/systemd/system/prova-submit.service
	assert_output ExecStart=/opt/prova/bin/prova-submit
}

@test "uninstall leaves nothing" {
	run -0 install_to
	run -0 uninstall_from
	run -0 find root -type f
	assert_output ""
	assert_not_exist root/usr/lib/prova
	assert_not_exist root/etc/prova
}

@test "settings that were changed survive installation and removal" {
	run -0 install_to
	echo "# mine" >>root/etc/prova/prova.conf
	run -0 install_to
	run -0 uninstall_from
	run -0 tail -n 1 root/etc/prova/prova.conf
	assert_output "# mine"
}
