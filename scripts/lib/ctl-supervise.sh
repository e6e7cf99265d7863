# shellcheck shell=bash disable=SC2034,SC2015
# Starting, watching and stopping the supervision tree.  Sourced by chompctl.

supervised() { [ -p "$S6/.s6-svscan/control" ] && s6-svscanctl "$S6" 2>/dev/null; }

# s6-svscan is gone, one of its s6-supervise is not.
unwatched() {
  local dir
  for dir in "$S6"/*/; do
    ! s6-svok "$dir" 2>/dev/null || return 0
  done
  return 1
}

supervisor_pid() {
  local pid=${CONFIG_OF[supervisor]:-}
  [ -z "$pid" ] && [ -r "$RUN/supervisor.pid" ] && read -r pid <"$RUN/supervisor.pid"
  echo "${pid:-0}"
}

# ---- start ---------------------------------------------------------------------------------------------------------

# s6-svscan in a session of its own, with a clean environment and none of our descriptors: `make run | cat` must end.
# Sets SUPERVISOR.
supervisor_start() {
  local wrap=()
  [ "${#MOUNTS[@]}" -eq 0 ] || wrap=(unshare --mount --propagation slave --)
  (
    cd / || exit 1
    descriptors_close
    # A shell starts what follows an & with SIGINT ignored, and that would reach the agents' terminals.
    exec setsid env -i --default-signal PATH="$SERVICE_PATH" LANG=C.UTF-8 "${wrap[@]}" \
      bash -c "$SUPERVISOR_SCRIPT" chomp-supervisor "$VAR/log/supervisor" "${S6/#"$VAR"/"$IN_VAR"}" "${MOUNTS[@]}"
  ) </dev/null >/dev/null 2>&1 &
  SUPERVISOR=$!
  echo "$SUPERVISOR" >"$RUN/supervisor.pid"
}

# shellcheck disable=SC2016
SUPERVISOR_SCRIPT='
umask 022
exec > >(exec s6-log -b n3 s200000 "$1") 2>&1
scan=$2
shift 2
while [ $# -gt 0 ]; do
  mount --rbind -- "$1" "$2" || exit 1
  shift 2
done
exec s6-svscan -- "$scan"'

descriptors_close() {
  local fd
  for fd in "/proc/$BASHPID/fd/"*; do
    fd=${fd##*/}
    [ "$fd" -le 2 ] || eval "exec $fd>&-"
  done
}

# ---- is it there? --------------------------------------------------------------------------------------------------

# Ask /api/health through nginx, as a client would.  PROBE is the HTTP status (empty: no answer), PROBE_BODY what it said.
probe() {
  local fd line
  PROBE='' PROBE_BODY=''
  if [ "$SCHEME" = https ]; then
    # Whether the certificate fits the name is for browsers to judge; here only life is asked for.
    line=$(curl -sk --max-time 5 --connect-to "::$DIAL:$PORT" -w '\n%{http_code}' -- "$ORIGIN/api/health") || return 1
    PROBE=${line##*$'\n'} PROBE_BODY=${line%$'\n'*}
    [ "$PROBE" = 200 ]
    return
  fi
  { exec {fd}<>"/dev/tcp/$DIAL/$PORT"; } 2>/dev/null || return 1
  printf 'GET /api/health HTTP/1.0\r\nHost: %s\r\n\r\n' "${ORIGIN#*://}" >&"$fd" 2>/dev/null
  read -rt 5 -u "$fd" line && PROBE=${line#* } PROBE=${PROBE:0:3}
  while read -rt 5 -u "$fd" line && [ "${line%$'\r'}" != '' ]; do :; done
  read -rt 5 -u "$fd" -N 2000 PROBE_BODY || :
  exec {fd}>&-
  [ "$PROBE" = 200 ]
}

# The program holds its lock, and so has come through its start.  Looked up rather than tried: a lock that we take for an
# instant is one that the program may find taken in that instant, and it would give up.  Only where the kernel's list does
# not know the file (an overlay) is it tried, late.
holds_lock() { # file
  local inode
  [ -e "$1" ] || return 1
  inode=$(stat -c %i -- "$1")
  [[ $(</proc/locks) =~ FLOCK\ [^$'\n']*\ WRITE\ [^$'\n']*:$inode\  ]] && return 0
  [ $((DEADLINE - NOW_MS)) -lt $((START_MS - 2000)) ] && ! flock -ns "$1" true 2>/dev/null
}

# The first service that has died since the start; s6-supervise notes each death.
first_dead() {
  local name
  for name in "${SERVICES[@]}"; do
    [ ! -s "$S6/$name/supervise/death_tally" ] || { echo "$name" && return 0; }
    [ ! -s "$S6/$name/log/supervise/death_tally" ] || { echo "$name/log" && return 0; }
  done
  return 1
}

declare -A LOG_START=()
logs_mark() {
  local name
  LOG_START=()
  for name in "${SERVICES[@]}" supervisor; do
    LOG_START[$name]=$(stat -c %s -- "$VAR/log/$name/current" 2>/dev/null || echo 0)
  done
}

# What a service has logged since logs_mark, its last lines.
logs_since() {
  local file=$VAR/log/$1/current size
  size=$(stat -c %s -- "$file" 2>/dev/null) || return 0
  [ "$size" -ge "${LOG_START[$1]:-0}" ] || LOG_START[$1]=0
  tail -c "+$((${LOG_START[$1]:-0} + 1))" -- "$file" | tail -n 10 | sed 's/^/  /'
}

# Wait until every program has come through its start and a request through nginx is answered.  WHY says what failed,
# FAILED which service, DEGRADED what a chomp that runs says of itself.
START_MS=15000
wait_ready() {
  local answered=0
  now_ms
  DEADLINE=$((NOW_MS + START_MS))
  while :; do
    if FAILED=$(first_dead); then
      WHY="$(program_of "$FAILED") ended right after its start: $(last_death "$FAILED")"
      return 1
    fi
    FAILED=supervisor
    alive "$SUPERVISOR" || { WHY='the supervisor (s6-svscan) did not start' && return 1; }
    [ -z "${BROKEN_OFF:-}" ] || { WHY='broken off' && return 1; }
    now_ms
    if programs_started; then
      ! probe || return 0
      if [ "$PROBE" = 503 ]; then
        # It is there and says that something is wrong with it; at first that is only the start.
        [ "$answered" -ne 0 ] || answered=$NOW_MS
        [ $((NOW_MS - answered)) -lt 3000 ] || { DEGRADED=$PROBE_BODY && return 0; }
      fi
    fi
    [ "$NOW_MS" -lt "$DEADLINE" ] || { wait_expired && return 1; }
    nap
  done
}

programs_started() {
  # Not asked before the sockets are there: nginx would log a failure that is none.
  FAILED=worker && [ -S "$RUN/worker/worker.sock" ] || return 1
  FAILED=relay && [ -S "$RUN/relay/relay.sock" ] || return 1
  FAILED=dispatch && holds_lock "$RUN/dispatch/lock" || return 1
  [ "$SANDBOX_LOCAL" -eq 0 ] || { FAILED=sandbox && holds_lock "$RUN/sandbox/lock"; }
}

wait_expired() {
  if ! programs_started; then
    WHY="$(program_of "$FAILED") has not come through its start (no socket, or no lock)"
  elif [ -z "$PROBE" ]; then
    FAILED=nginx WHY="nothing answers on $LISTEN"
  else
    FAILED=worker WHY="/api/health answers $PROBE: ${PROBE_BODY//$'\n'/ }"
  fi
  WHY+=" after $((START_MS / 1000)) s"
}

program_of() {
  case $1 in
    nginx) echo nginx ;;
    */log) echo "the logger of ${1%/log}" ;;
    *) echo "chomp-$1" ;;
  esac
}

last_death() {
  local line
  line=$(s6-svdt "$S6/$1" 2>/dev/null | tail -n 1)
  line=${line#* }
  case $line in
    exitcode*) echo "exit code ${line#exitcode }" ;;
    *) echo "${line:-unknown}" ;;
  esac
}

# ---- stop ----------------------------------------------------------------------------------------------------------

# Bring the tree down, sandboxes not included.  Works too when s6-svscan was killed and its s6-supervise are left.
supervisor_stop() {
  local pid dir
  pid=${SUPERVISOR:-$(supervisor_pid)}
  # The programs have 5 s for SIGTERM (timeout-kill); s6-svscan waits for the loggers to see the end of their input.
  if s6-svscanctl -t "$S6" 2>/dev/null && ! until_ms 7000 not_alive "$pid"; then
    # Somebody outside the tree holds a logger's pipe open: a program whose s6-supervise was killed.
    groups_end
    until_ms 3000 not_alive "$pid" || kill -KILL "$pid"
  fi
  for dir in "$S6"/*/ "$S6"/*/log/; do
    not_supervised "$dir" && continue
    s6-svc -xd "$dir"
    until_ms 6000 not_supervised "$dir" || s6-svc -kx "$dir"
  done
  groups_end
  rm -rf -- "$S6"
  rm -f -- "$RUN/callback/api.sock" "$RUN/worker/worker.sock" "$RUN/relay/relay.sock" "$RUN/sandbox/sandbox.sock" \
    "$RUN/supervisor.pid"
}

not_alive() { ! alive "$1"; }
not_supervised() { ! s6-svok "$1" 2>/dev/null; }

# until_ms LIMIT COMMAND…: try until it succeeds, for LIMIT milliseconds.
until_ms() {
  local deadline
  now_ms
  deadline=$((NOW_MS + $1))
  shift
  until "$@"; do
    now_ms
    [ "$NOW_MS" -lt "$deadline" ] || return 1
    nap
  done
}

groups_end() {
  local dir
  for dir in "$S6"/*/; do
    [ ! -d "$dir/data" ] || (cd -- "$dir" && sh -c '. ../.lib/service.sh; group_end')
  done
}

# ---- sandboxes -----------------------------------------------------------------------------------------------------

# The shims of this instance.  A shim's command line tells nothing; the files it holds open lie in its sandbox.  Files are
# compared, not names: a shim may have been started in another mount namespace.
shims() {
  local file name fds=() target
  for file in /proc/[0-9]*/comm; do
    { read -r name <"$file"; } 2>/dev/null && [ "$name" = chomp-shim ] && fds+=("${file%comm}fd")
  done
  [ "${#fds[@]}" -gt 0 ] || return 0
  while read -r file target; do
    [ ! "$file" -ef "$VAR/sandboxes/${target##*/sandboxes/}" ] || { file=${file#/proc/} && echo "${file%%/*}"; }
  done < <(find "${fds[@]}" -lname '*/sandboxes/*' -printf '%p %l\n' 2>/dev/null) | sort -u
}

# Kill every sandbox: the host does it (SIGUSR1, and is not restarted); a dead host's shims are ended here.
# ENDED is their number.
sandboxes_drain() {
  local pids
  mapfile -t pids < <(shims)
  ENDED=${#pids[@]}
  if s6-svok "$S6/sandbox" 2>/dev/null; then
    s6-svc -O -1 "$S6/sandbox"
    s6-svwait -D -t 15000 "$S6/sandbox" 2>/dev/null || warn 'chomp-sandbox did not end its sandboxes in 15 s; killing them'
  fi
  mapfile -t pids < <(shims)
  [ "${#pids[@]}" -gt 0 ] || return 0
  kill -TERM "${pids[@]}" 2>/dev/null
  until_ms 3000 no_shims && return 0
  mapfile -t pids < <(shims)
  kill -KILL "${pids[@]}" 2>/dev/null
  until_ms 2000 no_shims || warn "these will not die: ${pids[*]}"
}
no_shims() { [ -z "$(shims)" ]; }
