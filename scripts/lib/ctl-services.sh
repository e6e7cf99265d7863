# shellcheck shell=bash disable=SC2034,SC2015
# What is supervised: s6's scan directory and nginx's configuration, written anew at every start.  Sourced by chompctl.
#
# $CHOMP_VAR/run/s6/<service>/run starts the program, …/finish ends what a killed one left (service.sh), …/log/run is its
# logger.  s6 restarts at once what had run for a second, and waits out the second otherwise, so a crash loop costs one
# start a second.  That rule asks for a service that has said "ready"; ./run says so itself (notification-fd), since
# readiness is judged by chompctl from outside.

# service NAME USER [PREPARE] -- ENVIRONMENT… -- COMMAND…
# PREPARE is shell text that ./run runs first, as root when root.  The working directory is $CHOMP_VAR/run.
service() {
  local name=$1 user=$2 prepare=:
  shift 2
  [ "$1" = -- ] || { prepare=$1 && shift; }
  shift
  local environment=("PATH=$SERVICE_PATH" LANG=C.UTF-8 HOME=/nonexistent ${CHOMP_LOG:+"CHOMP_LOG=$CHOMP_LOG"})
  while [ "$1" != -- ]; do
    environment+=("$1") && shift
  done
  shift
  local dir=$S6/$name where words command
  sh_quote "$IN_VAR/run" && where=$QUOTED
  sh_quote "${environment[@]}" && words=$QUOTED
  sh_quote "$@" && command=$QUOTED
  drop_to "$user"
  mkdir -p -- "$dir/data" "$dir/log"
  echo 3 >"$dir/notification-fd"
  echo 5000 >"$dir/timeout-kill"
  rm -f -- "$dir/run" "$dir/finish" "$dir/log/run" # a shell may be reading them
  cat >"$dir/run" <<SH
#!/bin/sh
# $name, written by chompctl.
exec 2>&1
. ../.lib/service.sh
group_begin
echo >&3
exec 3>&-
umask 027
ulimit -c 0
ulimit -n 8192 2>/dev/null || ulimit -n "\$(ulimit -Hn)"
cd $where || exit 1
$prepare
exec env -i $words $DROP $command
SH
  cat >"$dir/finish" <<'SH'
#!/bin/sh
. ../.lib/service.sh
group_end
SH
  drop_to chomp
  sh_quote "$IN_VAR/log/$name"
  cat >"$dir/log/run" <<SH
#!/bin/sh
umask 027
exec $DROP s6-log -b n10 s1000000 $QUOTED
SH
  chmod 0755 "$dir/run" "$dir/finish" "$dir/log/run"
}

# DROP: the words that make a command run as another user.  A bubblewrap that is setuid root (no unprivileged user
# namespaces on that kernel) would be stopped by no_new_privs; nginx's master keeps root for its port, its workers do not.
drop_to() {
  local flags=--no-new-privs
  [ "$1" != chomp-box ] || [ ! -u "$BWRAP" ] || flags=''
  DROP="setpriv $flags --"
  [ "$AS_ROOT" -eq 1 ] || return 0
  DROP="setpriv --inh-caps=-all $flags --"
  [ "$1" = root ] || DROP="setpriv --reuid $1 --regid $1 --init-groups --inh-caps=-all $flags --"
}

SERVICE_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# In the order in which status shows them.  A new program is one more name here and one more `service` below.
services_name() {
  SERVICES=(nginx worker relay dispatch)
  [ "$SANDBOX_LOCAL" -eq 0 ] || SERVICES+=(sandbox)
}

# From nothing: only while nothing of it runs.
services_new() {
  rm -rf -- "$S6" "$RUN/nginx" || die "cannot clear $S6"
  services_write
}

# Also over what is there and runs: each program goes by its new script when it starts the next time.
services_write() {
  # The workers look after the host of this machine alone; the others know of a second one.
  local own=$SANDBOX_URL url=$SANDBOX_URL
  [ "$SANDBOX_LOCAL" -eq 0 ] || own=unix:$IN_VAR/run/sandbox/sandbox.sock
  [ "$SANDBOX_AWAY" -eq 1 ] || url=$own
  mkdir -p -- "$S6/.lib" "$S6/.s6-svscan" && cp -- "$APP/scripts/lib/service.sh" "$S6/.lib/" || die "cannot write $S6"

  BWRAP=$(command -v bwrap) || BWRAP=/
  nginx_write
  service nginx root 'rm -f callback/api.sock' -- -- nginx -e stderr -p nginx/ -c nginx.conf
  service worker chomp -- "CHOMP_VAR=$IN_VAR" "CHOMP_WORKERS=$WORKERS" "CHOMP_PORT=$PORT" \
    "CHOMP_PUBLIC_ORIGINS=$PUBLIC_ORIGINS" "CHOMP_SANDBOX_URL=$own" \
    "CHOMP_TEMPLATES=$IN_APP/cgi-templates" "CHOMP_HTDOCS=$IN_HTDOCS" "CHOMP_AGENTS=$IN_AGENTS" \
    "CHOMP_SHELLEY_URL=${CHOMP_SHELLEY_URL:-}" \
    -- "$IN_BIN/chomp-worker"
  service relay chomp -- "CHOMP_VAR=$IN_VAR" "CHOMP_PORT=$PORT" "CHOMP_PUBLIC_ORIGINS=$PUBLIC_ORIGINS" \
    "CHOMP_SANDBOX_URL=$url" "CHOMP_SANDBOX_SECRET_FILE=$DISPATCH_SECRET" -- "$IN_BIN/chomp-relay"
  service dispatch chomp -- "CHOMP_VAR=$IN_VAR" "CHOMP_SANDBOX_URL=$url" \
    "CHOMP_SANDBOX_SECRET_FILE=$DISPATCH_SECRET" "CHOMP_CALLBACK_URL=$CALLBACK_URL" "CHOMP_PUBLIC_CALLBACK_URL=$PUBLIC_CALLBACK_URL" "CHOMP_AGENTS=$IN_AGENTS" \
    "CHOMP_OPENROUTER_URL=${CHOMP_OPENROUTER_URL:-}" "CHOMP_CLOUDFLARE_URL=${CHOMP_CLOUDFLARE_URL:-}" \
    "CHOMP_ZEN_URL=${CHOMP_ZEN_URL:-}" "CHOMP_SHELLEY_URL=${CHOMP_SHELLEY_URL:-}" -- "$IN_BIN/chomp-dispatch"
  # Sandboxes' network: a tap device each.  udev makes it so everywhere; a bare /dev (a small VM, a container) does not.
  if [ "$SANDBOX_LOCAL" -eq 1 ] && [ "$AS_ROOT" -eq 1 ]; then
    [ -e /dev/net/tun ] || { mkdir -p /dev/net && mknod -m 0666 /dev/net/tun c 10 200; } 2>/dev/null
    as chomp-box dd if=/dev/net/tun of=/dev/null count=0 2>/dev/null || chmod 0666 /dev/net/tun 2>/dev/null
  fi
  # chomp-box must not be able to open secrets/: it is handed the one file that it needs.
  if [ "$SANDBOX_LOCAL" -eq 1 ]; then
    sh_quote "$IN_VAR/secrets/sandbox_secret"
    local enter='' cgroup=()
    cgroup_make && enter="; echo \$\$ >'$CGROUP/host/cgroup.procs'" && cgroup=(--cgroup "$CGROUP")
    service sandbox chomp-box "exec 3<$QUOTED || exit 1$enter" -- -- \
      "$IN_BIN/chomp-sandbox" --dir "$IN_VAR/sandboxes" --listen "unix:$IN_VAR/run/sandbox/sandbox.sock" \
      --lock "$IN_VAR/run/sandbox/lock" --secret-fd 3 --scripts "$IN_APP/scripts" --agents "$IN_AGENTS" \
      --callback "$IN_VAR/run/callback" --shim "$IN_BIN/chomp-shim" "${cgroup[@]}" \
      ${CHOMP_BOX_LIMITS:+--limits "$CHOMP_BOX_LIMITS"}
  fi
  [ -x "$S6/nginx/run" ] || die "$VAR is on a file system mounted noexec: take another CHOMP_VAR"
}

# The cgroup (v2) below which we may make ours: root's own, or the one that systemd delegated to our unit.  Empty when
# memory and processes cannot be limited there.
cgroup_parent() {
  local mount=/sys/fs/cgroup parent=''
  [ "$AS_ROOT" -eq 1 ] && [ -w "$mount/cgroup.subtree_control" ] || return 0
  [ "$(stat -f -c %T "$mount" 2>/dev/null)" = cgroup2fs ] || return 0
  [[ " $(<"$mount/cgroup.controllers") " == *' memory '*' pids '* ]] || return 0
  echo "$mount"
}

# CGROUP: a directory that chomp-box may divide among its sandboxes; the host itself moves into CGROUP/host.
cgroup_make() {
  local parent
  parent=$(cgroup_parent)
  [ -n "$parent" ] || return 1
  CGROUP=$parent/chomp-$INSTANCE
  { echo '+memory +pids' >"$parent/cgroup.subtree_control" && mkdir -p "$CGROUP/host" &&
    echo '+memory +pids' >"$CGROUP/cgroup.subtree_control" &&
    chown chomp-box "$CGROUP" "$CGROUP/cgroup.procs" "$CGROUP/cgroup.subtree_control" "$CGROUP/host" \
      "$CGROUP/host/cgroup.procs"; } 2>/dev/null
}

# nginx's own directory: the templates filled in, its temporary files, and a link to the static files.
nginx_write() {
  local to=$RUN/nginx text user_line='' hosts='' host
  mkdir -p -- "$to/tmp" && cp -R -- "$APP"/nginx/*.conf "$APP/nginx/errors" "$to/" && ln -sfn -- "$IN_HTDOCS" "$to/htdocs" ||
    die "cannot write $to"
  [ "$AS_ROOT" -eq 0 ] || user_line='user www-data chomp-web;'
  # Each name once: an http and an https origin may share it.
  for host in "${ORIGINS[@]#*://}"; do
    [[ $hosts == *"\"${host,,}\""* ]] || hosts+=$'\t\t'"\"${host,,}\" 1;"$'\n'
  done
  text=$(<"$APP/nginx/nginx.conf.in") || die "cannot read $APP/nginx/nginx.conf.in"
  nginx_tls
  text=${text//@USER_LINE@/"$user_line"}
  text=${text//@HTTP_SERVER@/"$HTTP_SERVER"}
  text=${text//@LISTEN_TLS@/"$LISTEN_TLS"}
  text=${text//@TLS@/"$TLS"}
  text=${text//@LISTEN@/"$LISTEN"}
  text=${text//@KNOWN_HOSTS@/"${hosts%$'\n'}"}
  printf '%s\n' "$text" >"$to/nginx.conf" || die "cannot write $to/nginx.conf"
  [ "$AS_ROOT" -eq 0 ] || chmod -R go+rX -- "$to"
}

# The parts of the configuration that TLS changes: empty without.
nginx_tls() {
  HTTP_SERVER='' LISTEN_TLS='' TLS=''
  [ "$SCHEME" = https ] || return 0
  LISTEN_TLS=' ssl http2'
  TLS=$'\t\t'"ssl_certificate \"$CHOMP_TLS_CERT\";"$'\n\t\t'"ssl_certificate_key \"$CHOMP_TLS_KEY\";"$'\n\t\tinclude tls.conf;'
  [ -n "${CHOMP_HTTP_PORT:-}" ] || return 0
  directory "$VAR/acme" root root 0755
  ln -sfn -- "$IN_VAR/acme" "$RUN/nginx/acme"
  HTTP_SERVER=$(<"$APP/nginx/http-server.conf.in") || die "cannot read $APP/nginx/http-server.conf.in"
  HTTP_SERVER=${HTTP_SERVER//@HTTP_LISTEN@/"${LISTEN%:*}:$CHOMP_HTTP_PORT"}
  HTTP_SERVER=${HTTP_SERVER//@ORIGIN@/"$ORIGIN"}
}
