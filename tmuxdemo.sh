#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# One node as host.env says, in the panes of a tmux session: the node, its
# guest's console, the relay (when PUBSUB_URL is of this machine and nobody
# serves it yet) and dstack status. It ends with the view; with --detach it
# runs on until "tmuxdemo.sh --stop".
set -euo pipefail
cd "$(dirname "$0")"

usage() {
	cat >&2 <<-'EOF'
		usage: ./tmuxdemo.sh [--config FILE] [--detach] [-- ARG ...]
		       ./tmuxdemo.sh --stop
		  --config FILE  a host.env (default host.env)
		  --detach       start it and return
		  ARG ...        go to "dstack node run"
	EOF
	exit 2
}

config=host.env
detach=0
stop=0
while [ $# -gt 0 ]; do
	case $1 in
	--config) [ $# -ge 2 ] || usage; config=$2; shift 2 ;;
	--detach) detach=1; shift ;;
	--stop) stop=1; shift ;;
	--) shift; break ;;
	*) usage ;;
	esac
done

say() { printf 'tmuxdemo: %s\n' "$*" >&2; }
command -v tmux >/dev/null || { say "tmux is missing: apt-get install tmux"; exit 3; }
unset TMUX # a view inside a view is the user's to have
# a server of our own: ending it ends nothing of anyone else
tm() { tmux -L dstack "$@"; }

# End what the panes run, the node first; then the session.
finish() {
	local pid pids
	pids=$(tm list-panes -s -t dstack -F '#{pane_dead} #{pane_pid}' 2>/dev/null |
		sed -n 's/^0 //p')
	for pid in $pids; do
		kill -TERM "$pid" 2>/dev/null || true
		# the node's own bound is 60 s, after which it cuts the guest off
		for _ in $(seq 900); do
			[ "$(tm list-panes -s -t dstack -f "#{==:#{pane_pid},$pid}" \
				-F '#{pane_dead}' 2>/dev/null)" = 0 ] || break
			sleep 0.1
		done
	done
	tm kill-session -t dstack 2>/dev/null || true
}

if [ "$stop" -eq 1 ]; then
	tm has-session -t dstack 2>/dev/null || { say "nothing runs"; exit 1; }
	finish
	exit 0
fi

if tm has-session -t dstack 2>/dev/null; then
	say "it runs already: tmux -L dstack attach, or ./tmuxdemo.sh --stop"
	exit 1
fi
[ -r "$config" ] || { say "$config: copy host.env.example and fill it in"; exit 3; }
[ -x build/bin/dstack ] || make -s all
value() { # KEY DEFAULT
	local v
	v=$(sed -n "s/^$1=//p" "$config" | tail -1 | tr -d '\r')
	printf '%s' "${v:-$2}"
}
state=$(value STATE_DIR build/node)
relay=$(value PUBSUB_URL '')

# pane TITLE COMMAND...: beside the ones that are there
id=
pane() {
	local title=$1
	shift
	if [ -z "$id" ]; then
		# a wide one, so that lines are whole without a terminal too
		id=$(tm new-session -d -P -F '#{pane_id}' -s dstack -x 200 -y 60 "$@")
		tm set-option -t dstack remain-on-exit on
		tm set-option -t dstack pane-border-status top
	else
		id=$(tm split-window -d -P -F '#{pane_id}' -t "$id" "$@")
		tm select-layout -t dstack tiled >/dev/null
	fi
	tm select-pane -t "$id" -T "$title"
}

trap finish EXIT
mkdir -p "$state"
: >"$state/console.log" # an earlier run's last words are not this one's
pane node build/bin/dstack node run --config "$config" "$@"
pane console tail -n +1 -F "$state/console.log"
at=${relay#http://}
at=${at%/}
case $at in
127.0.0.1:* | localhost:*)
	if curl -s -o /dev/null --max-time 2 "$relay/"; then
		pane "relay runs already" tail -f /dev/null
	else
		pane relay build/bin/dstack pubsub --listen "$at"
	fi
	;;
*)
	pane "relay is $relay" tail -f /dev/null
	;;
esac
pane status watch -t -n 2 build/bin/dstack status --config "$config"

if [ "$detach" -eq 1 ]; then
	trap - EXIT
	say "see it with: tmux -L dstack attach; end it with: ./tmuxdemo.sh --stop"
	exit 0
fi
tm attach -t dstack
