#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# check.sh COMPUTING CLOCKED LATE - runs these test tiers, names those that failed
#
# $MAKE runs one, or several side by side, and leaves $PASSED/TIER where one passed. Behind
# LB_DEADLINE (seconds since 1970, unset: never) what is LATE is not begun, but named.
set -u

computing=$1 clocked=$2 late=$3
left=

tiers() {	# tiers MORE-TARGETS TIER...
	more=$1
	shift
	start=$(date +%s)
	# shellcheck disable=SC2046,SC2086 # the lists are words
	$MAKE $more $(printf "$PASSED/%s " "$@")
	printf '%s took %d s\n' "$*" $(($(date +%s) - start))
}

rm -rf "$PASSED"
mkdir -p "$PASSED"
# shellcheck disable=SC2086
tiers '-Otarget board-files' $computing
for tier in $clocked; do
	printf '\n== %s\n' "$tier"
	tiers '' "$tier"
done
for group in $late; do
	group=$(echo "$group" | tr + ' ')
	if [ -n "${LB_DEADLINE:-}" ] && [ "$(date +%s)" -ge "$LB_DEADLINE" ]; then
		left="$left $group"
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
[ -z "$left" ] || printf '\ncheck: left out, the time was over:%s\n' "$left"
if [ -n "$failed" ]; then
	printf '\ncheck: failed:%s\n' "$failed"
	exit 1
fi
printf '\ncheck: all that was tried passed\n'
