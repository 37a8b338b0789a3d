#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# check.sh COMPUTING CLOCKED LATE - runs these test tiers, names those that failed
#
# $RUN makes one, or several side by side, and leaves $PASSED/TIER where one passed. Behind
# LB_DEADLINE (seconds since 1970, unset: never) what is LATE is not begun, but named.
set -u

computing=$1 clocked=$2 late=$3
export LB_LEFT_OUT="$PWD/$PASSED/left-out"	# cases: tests/plugins/deadline.py

tiers() {	# tiers OTHER-TARGETS TIER...
	others=$1
	shift
	start=$(date +%s)
	# shellcheck disable=SC2046,SC2086 # the lists are words
	$RUN $(printf "$PASSED/%s " "$@") $others
	printf '%s took %d s\n' "$*${others:+, $others}" $(($(date +%s) - start))
}

rm -rf "$PASSED"
mkdir -p "$PASSED"
# shellcheck disable=SC2086
tiers 'board-files -Otarget' $computing
for tier in $clocked; do
	printf '\n== %s\n' "$tier"
	tiers '' "$tier"
done
left=
for group in $late; do
	group=$(echo "$group" | tr + ' ')
	if [ -n "${LB_DEADLINE:-}" ] && [ "$(date +%s)" -ge "$LB_DEADLINE" ]; then
		left="$left $group"
		echo "$group" >>"$LB_LEFT_OUT"
		continue
	fi
	printf '\n== %s\n' "$group"
	# shellcheck disable=SC2086
	tiers '' $group
done

failed=
for tier in $computing $clocked $(echo "$late" | tr + ' '); do
	case " $left " in
	*" $tier "*) ;;
	*) [ -e "$PASSED/$tier" ] || failed="$failed $tier" ;;
	esac
done
echo
[ ! -s "$LB_LEFT_OUT" ] || sed 's/^/check: left out, the time was over: /' "$LB_LEFT_OUT"
if [ -n "$failed" ]; then
	printf 'check: failed:%s\n' "$failed"
	exit 1
fi
printf 'check: all that was tried passed\n'
