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

doctor_sandbox_host() {
  local answer curl=(curl -sS -m 5)
  if [ "$SANDBOX_LOCAL" -eq 1 ]; then
    supervised || return 0
    # Relative: a unix socket's path may not be long.
    answer=$(cd -- "$RUN/sandbox" && "${curl[@]}" --unix-socket sandbox.sock http://sandbox/health 2>&1)
  else
    case $SANDBOX_URL in
      unix:*) answer=$("${curl[@]}" --unix-socket "${SANDBOX_URL#unix:}" http://sandbox/health 2>&1) ;;
      *) answer=$("${curl[@]}" "${SANDBOX_URL%/}/health" 2>&1) ;;
    esac
  fi
  [[ $answer == *'"ok"'* ]] && good "the sandbox host answers: ${answer:0:120}" ||
    bad "the sandbox host ${SANDBOX_URL:-$RUN/sandbox/sandbox.sock} does not answer: ${answer:0:160}" "$SELF logs sandbox"
}

doctor_agents() {
  local dir names=()
  for dir in "$AGENTS"/*/; do
    [ ! -d "$dir" ] || { dir=${dir%/} && names+=("${dir##*/}"); }
  done
  [ "${#names[@]}" -gt 0 ] && good "agents: shell ${names[*]}" ||
    note "no coding agent is installed; the built-in agent 'shell' works" "$SELF agent install pi"
}
