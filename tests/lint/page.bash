# page.bash - a part of a manual page that is one table of the program, written as text.
#
# The page has the lines  .\" begin NAME  and  .\" end NAME ; between them stands exactly what
# the function `rows` prints.  "tests/lint/LINT --write" puts it there.

# fill PAGE NAME [--write]: compare, or write.  Status 1 when they differ.
fill() {
	local page=$1 name=$2 want have
	grep -q "^\\.\\\\\" begin $name\$" "$page" || { echo "$page: has no line .\\\" begin $name"; return 1; }
	want=$(mktemp) have=$(mktemp)
	rows >"$want"
	sed -n "/^\\.\\\\\" begin $name\$/,/^\\.\\\\\" end $name\$/p" "$page" | sed '1d;$d' >"$have"
	if cmp -s "$want" "$have"; then
		rm -f "$want" "$have"
		return 0
	fi
	if [ "${3:-}" = --write ]; then
		sed -i -e "/^\\.\\\\\" begin $name\$/,/^\\.\\\\\" end $name\$/{//!d}" \
		    -e "/^\\.\\\\\" begin $name\$/r $want" "$page"
		rm -f "$want" "$have"
		return 0
	fi
	echo "$page differs from the program's table (-page +table); $0 --write mends it:"
	diff -u "$have" "$want" | tail -n +3
	rm -f "$want" "$have"
	return 1
}

# Text that mdoc takes as it is: no line begins with a dot or a quote, backslashes and dashes stay themselves.
escape() {
	sed -e 's/\\/\\e/g' -e 's/-/\\-/g' -e "s/^[.']/\\\\\\&&/"
}
