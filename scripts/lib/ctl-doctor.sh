# shellcheck shell=bash disable=SC2034,SC2015
# chompctl doctor: what is wrong with this host, and the command that mends it.  Sourced by chompctl.
#
# Three kinds of line: ok; note (chomp runs, something is less than it could be); BAD (chomp, or every task, fails).

DOCTOR_BAD=0
good() { printf '%-5s %s\n' ok "$1"; }
note() { finding note "$@"; }
bad() {
  DOCTOR_BAD=1
  finding BAD "$@"
}
finding() { # kind what mend
  printf '%-5s %s\n' "$1" "$2"
  [ -z "${3:-}" ] || printf '      mend: %s\n' "$3"
}

command_doctor() {
  [ $# -eq 0 ] || die 'doctor takes no arguments'
  settings_saved
  ! supervised || settings_keep
  settings_read
  doctor_host
  doctor_programs
  doctor_users
  doctor_var
  doctor_port
  doctor_boundary
  doctor_network
  doctor_limits
  doctor_sandbox_host
  doctor_agents
  exit "$DOCTOR_BAD"
}

doctor_host() {
  local name=unknown
  name=$(. /etc/os-release 2>/dev/null && echo "$PRETTY_NAME")
  good "$name, kernel $(uname -r), $(nproc) cores"
  [ "$(</proc/sys/net/core/somaxconn)" -ge 1024 ] ||
    note 'net.core.somaxconn is below 1024: bursts of connections are refused' 'sysctl -w net.core.somaxconn=4096'
}

# A program, the package that brings it, how it tells its version.
doctor_programs() {
  local row program package version found missing=()
  for row in nginx:nginx:-v s6-svscan:s6: bwrap:bubblewrap:--version setpriv:util-linux:--version \
    curl:curl:--version git:git:--version jq:jq:--version; do
    IFS=: read -r program package version <<<"$row"
    if ! found=$(command -v "$program"); then
      missing+=("$package")
      continue
    fi
    # shellcheck disable=SC2086
    [ -z "$version" ] || found="$("$program" $version 2>&1 | head -n 1)"
    good "${found:0:80}"
  done
  [ "${#missing[@]}" -eq 0 ] || bad "missing: ${missing[*]}" "apt-get install --no-install-recommends ${missing[*]}"
  missing=()
  for program in "${PROGRAMS[@]}"; do
    [ -x "$BIN/$program" ] || missing+=("$program")
  done
  [ "${#missing[@]}" -eq 0 ] && good "built: $BIN" || bad "not built: ${missing[*]}" "make -C '$APP'"
  [ -d "$HTDOCS" ] || bad "not built: the static files ($HTDOCS)" "make -C '$APP'"
}

doctor_users() {
  local missing
  if [ "$AS_ROOT" -eq 0 ]; then
    note "everything runs as $(id -un): bubblewrap alone keeps agents from chomp's state and secrets" "sudo $SELF up"
    return
  fi
  missing=$(users_missing)
  [ -z "$missing" ] && good 'users chomp, chomp-box, www-data; group chomp-web' ||
    note "not there yet: ${missing//$'\n'/ } (chompctl up creates them)"
}

doctor_var() {
  local where=$VAR free
  while [ ! -d "$where" ]; do
    where=$(dirname -- "$where")
  done
  if [ "$AS_ROOT" -eq 0 ] && [ ! -w "$where" ]; then
    bad "cannot write to $where (CHOMP_VAR is $VAR)" "CHOMP_VAR=\$HOME/.local/share/chomp $SELF up"
    return
  fi
  free=$(df -Pk -- "$where" | awk 'NR == 2 { print int($4 / 1024) }')
  if [ "$free" -lt 200 ]; then
    bad "$VAR: only $free MB free" "df -h '$where'"
  elif [ "$free" -lt 2000 ]; then
    note "$VAR: only $free MB free"
  else
    good "$VAR: $((free / 1024)) GB free"
  fi
  [[ ${CONFIG_OF[in_var]:-} != /run/chomp/* ]] ||
    good "$VAR lies in a closed directory; the programs see it as ${CONFIG_OF[in_var]} (a mount of their own)"
  [[ $(findmnt -no OPTIONS -T "$where" 2>/dev/null) != *noexec* ]] ||
    bad "$where is mounted noexec" "CHOMP_VAR=/var/lib/chomp/main $SELF up"
}

doctor_port() {
  local why
  if supervised; then
    if probe; then
      good "chomp answers on $ORIGIN"
    else
      bad "chomp is running, but /api/health answers '${PROBE:-nothing}' ${PROBE_BODY//$'\n'/ }" "$SELF status; $SELF logs worker"
    fi
  elif why=$(port_check 2>&1); then
    good "port $PORT on $ADDRESS is free"
  else
    bad "${why%%. Stop*}" "CHOMP_PORT=$((PORT < 65535 ? PORT + 1 : PORT - 1)) $SELF up"
  fi
}

# A sandbox is really made, by the user that makes them.
doctor_boundary() {
  local user=chomp-box error
  [ "$SANDBOX_LOCAL" -eq 1 ] && command -v bwrap >/dev/null || return 0
  [ "$AS_ROOT" -eq 0 ] || getent passwd chomp-box >/dev/null || user=nobody
  [ "$user" != nobody ] || getent group nobody >/dev/null || user=www-data
  if error=$(cd / && as "$user" bwrap --unshare-user --unshare-pid --unshare-ipc --unshare-uts --unshare-net \
    --ro-bind / / --proc /proc --dev /dev --die-with-parent true 2>&1); then
    good "a sandbox can be made by $([ "$AS_ROOT" -eq 1 ] && echo "$user" || id -un)"
    return
  fi
  bad "bubblewrap cannot make a sandbox: ${error##*$'\n'}" "$(doctor_boundary_mend)"
}

# What boxes need for their own network; without it they get none, never the host's.
doctor_network() {
  local user=chomp-box
  [ "$SANDBOX_LOCAL" -eq 1 ] || return 0
  getent passwd chomp-box >/dev/null || user=nobody
  if ! command -v slirp4netns >/dev/null; then
    bad 'slirp4netns is missing: sandboxes get no network' 'apt-get install --no-install-recommends slirp4netns'
  elif [ ! -e /dev/net/tun ]; then
    bad '/dev/net/tun does not exist: sandboxes get no network' \
      "as root: mkdir -p /dev/net && mknod -m 0666 /dev/net/tun c 10 200; in a container: --device /dev/net/tun"
  elif ! as "$user" dd if=/dev/net/tun of=/dev/null count=0 2>/dev/null; then
    bad '/dev/net/tun cannot be opened: sandboxes get no network' 'as root: chmod 0666 /dev/net/tun'
  else
    good 'sandboxes get a network of their own (slirp4netns)'
  fi
}

doctor_limits() {
  [ "$SANDBOX_LOCAL" -eq 1 ] || return 0
  if [ -n "$(cgroup_parent)" ]; then
    good 'memory and processes are limited per sandbox (cgroup v2)'
  else
    note 'memory is limited per process, not per sandbox: no cgroup v2 with memory and pids can be delegated here' \
      "start chomp as root on a host with cgroup v2 at /sys/fs/cgroup, or from a systemd unit with Delegate=yes"
  fi
}

doctor_boundary_mend() {
  local sys=/proc/sys
  if [ "$(cat $sys/kernel/unprivileged_userns_clone 2>/dev/null)" = 0 ]; then
    echo "sysctl -w kernel.unprivileged_userns_clone=1   (and in /etc/sysctl.d/ to keep it)"
  elif [ "$(cat $sys/user/max_user_namespaces 2>/dev/null)" = 0 ]; then
    echo "sysctl -w user.max_user_namespaces=10000   (and in /etc/sysctl.d/ to keep it)"
  elif [ "$(cat $sys/kernel/apparmor_restrict_unprivileged_userns 2>/dev/null)" = 1 ]; then
    echo "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile that allows userns to /usr/bin/bwrap"
  elif [ "$(stat -c %d:%i / 2>/dev/null)" != "$(stat -c %d:%i /proc/1/root/. 2>/dev/null)" ] && [ "$AS_ROOT" -eq 1 ]; then
    echo "this is a chroot, where the kernel refuses user namespaces: enter it with 'systemd-nspawn -D' or 'unshare -m' and pivot_root"
  else
    echo "in a container: start it with --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined"
  fi
}

# Each sandbox host: does it answer?
doctor_sandbox_host() {
  # Relative: a unix socket's path may not be long.
  if [ "$SANDBOX_LOCAL" -eq 1 ] && supervised; then
    (cd -- "$RUN/sandbox" && doctor_host_answers "$RUN/sandbox/sandbox.sock" --unix-socket sandbox.sock http://sandbox/health) || DOCTOR_BAD=1
  fi
  case $SANDBOX_URL in
    "unix:$RUN/sandbox/sandbox.sock" | '') ;;
    unix:*) doctor_host_answers "$SANDBOX_URL" --unix-socket "${SANDBOX_URL#unix:}" http://sandbox/health ;;
    *) doctor_host_answers "$SANDBOX_URL" "${SANDBOX_URL%/}/health" && doctor_secret && doctor_callback ;;
  esac
}

doctor_host_answers() { # name curl's arguments…
  local name=$1 answer
  shift
  answer=$(curl -sS -m 5 "$@" 2>&1)
  [[ $answer == *'"ok"'* ]] && good "the sandbox host $name answers: ${answer:0:120}" && return
  bad "the sandbox host $name does not answer: ${answer:0:160}" "$SELF logs dispatch"
  return 1
}

# A host elsewhere takes our secret.  The id is no sandbox's: nothing is touched there.
doctor_secret() {
  local status
  [ -n "$SANDBOX_SECRET" ] || return 0
  status=$(curl -sS -m 10 -o /dev/null -w '%{http_code}' -H @<(printf 'Authorization: Bearer %s\n' "$(<"$SANDBOX_SECRET")") \
    "${SANDBOX_URL%/}/status/00000000000000000000000000000000" 2>&1)
  [ "$status" = 200 ] && good 'the sandbox host takes our secret' && return
  bad "the sandbox host does not take the secret of $SANDBOX_SECRET (it answers $status)" "$SELF cloudflare setup"
  return 1
}

# Boxes elsewhere must reach us, by this very address: an agent that cannot call back ends, and nobody hears how.
doctor_callback() {
  local status
  if [[ $SANDBOX_URL == https:* && $PUBLIC_CALLBACK_URL =~ ^https?://(127\.|localhost|\[::1\]|0\.0\.0\.0) ]]; then
    bad "sandboxes elsewhere are told to call back at $PUBLIC_CALLBACK_URL, which is this machine for nobody else" \
      "CHOMP_PUBLIC_CALLBACK_URL=https://chomp.example.org $SELF restart   (docs/CLOUDFLARE.md)"
    return
  fi
  supervised || return 0
  # Nobody is anybody's agent here: chomp itself says 401, a proxy in front says something else.
  status=$(curl -sS -m 10 -o /dev/null -w '%{http_code}' -X POST -H 'Content-Type: application/json' -d '{"id":"1"}' \
    "${PUBLIC_CALLBACK_URL%/}/api/tasks/update" 2>/dev/null)
  [ "$status" = 401 ] && good "callbacks reach us at $PUBLIC_CALLBACK_URL (seen from this machine)" ||
    bad "callbacks do not reach us at $PUBLIC_CALLBACK_URL: 401 is wanted for one without a token, and $status came" \
      "the proxy or tunnel in front of chomp has to pass POST /api/tasks/ on to $CALLBACK_URL, and its name has to be in CHOMP_PUBLIC_ORIGINS (docs/CLOUDFLARE.md)"
}

doctor_agents() {
  local dir names=()
  for dir in "$AGENTS"/*/; do
    [ ! -d "$dir" ] || { dir=${dir%/} && names+=("${dir##*/}"); }
  done
  [ "${#names[@]}" -gt 0 ] && good "agents: shell ${names[*]}" ||
    note "no coding agent is installed; the built-in agent 'shell' works" "$SELF agent install pi"
}
