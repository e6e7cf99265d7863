# shellcheck shell=bash disable=SC2034,SC2015
# Users, directories, secrets, and how the users reach them.  Sourced by chompctl.
#
# IN_APP and IN_VAR are the programs and $CHOMP_VAR as the services see them.  Mostly they are APP and VAR.  Started as
# root from a closed place, such as a clone in /root or a mktemp directory, they are not, since chomp, chomp-box and
# www-data cannot enter it and opening other people's directories is not ours to do:
#   programs  are copied to /var/lib/chomp/<clone>/app at every start (a clone made under umask 077 is closed file by
#             file, so a mount would not do);
#   $CHOMP_VAR is mounted at /run/chomp/<instance>/var in a mount namespace that only the services have.
# Root writes into a directory of another user only after becoming that user: what lies there could be a symbolic link.

# as USER COMMAND…: with that user's rights.  Relative paths work even where USER could not have gone by itself.
as() {
  local user=$1
  shift
  if [ "$AS_ROOT" -eq 1 ]; then
    setpriv --reuid "$user" --regid "$user" --init-groups --no-new-privs --inh-caps=-all -- "$@"
  else
    "$@"
  fi
}

users_missing() {
  local name
  [ "$AS_ROOT" -eq 1 ] || return 0
  for name in chomp chomp-box www-data; do
    getent passwd "$name" >/dev/null || echo "$name"
  done
  getent group chomp-web >/dev/null || echo chomp-web
}

users_make() {
  local name error
  for name in $(users_missing); do
    case $name in
      chomp-web) error=$(groupadd --system chomp-web 2>&1) ;;
      *) error=$(useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin \
        "$name" 2>&1) ;;
    esac
    # Another instance may have been quicker.
    getent passwd "$name" >/dev/null || getent group "$name" >/dev/null || die "cannot create the user $name: $error"
  done
}

# directory PATH USER GROUP MODE: when everything is one user, what was shared by group is that user's alone.
directory() {
  local mode=$4
  if [ "$AS_ROOT" -eq 1 ]; then
    install -d -o "$2" -g "$3" -m "$mode" -- "$1" || die "cannot prepare $1"
    # A mode with setgid is only kept when it comes after the owner.
    [[ $mode != 2* ]] || chmod "$mode" -- "$1"
    return
  fi
  [[ $mode != 2* ]] || mode=0700
  install -d -m "$mode" -- "$1" || die "cannot prepare $1"
}

# Whoever ran this instance last owns run/; an ordinary user cannot go on where root or another one was.
var_check() {
  [ -d "$VAR" ] || [ ! -e "$VAR" ] || die "CHOMP_VAR: $VAR is not a directory"
  var_is_ours || die "$VAR was used by $(stat -c %U -- "$RUN" "$VAR" 2>/dev/null | grep -vx "$(id -un)" | head -n 1) before.
  Go on as that user (root: sudo $SELF $COMMAND), or take another directory: CHOMP_VAR=\$HOME/.local/share/chomp"
}

var_is_ours() {
  [ "$AS_ROOT" -eq 1 ] || [ ! -e "$VAR" ] || { [ -O "$VAR" ] && { [ ! -e "$RUN" ] || [ -O "$RUN" ]; }; }
}

# The lock under which everything that changes an instance is done.
var_lock() {
  mkdir -p -- "$RUN" 2>/dev/null || die "cannot create $RUN (CHOMP_VAR says where chomp keeps its files)"
  exec {LOCK_FD}>>"$RUN/ctl.lock" || die "cannot write to $RUN"
  flock -w 60 "$LOCK_FD" || die "another chompctl has been at work on $VAR for a minute; see: fuser -v '$RUN/ctl.lock'"
}
var_unlock() { [ -z "${LOCK_FD:-}" ] || { exec {LOCK_FD}>&- && LOCK_FD=''; }; }

var_make() {
  local service root=root
  [ -d "$VAR" ] || mkdir -p -m 0755 -- "$VAR" || die "cannot create $VAR"
  # $CHOMP_VAR itself is ours: others may pass through it, and each directory inside has a mode of its own.
  [ "$AS_ROOT" -eq 0 ] || chmod go+x -- "$VAR"
  directory "$RUN" $root $root 0755
  directory "$RUN/worker" chomp chomp-web 2750
  directory "$RUN/sandbox" chomp-box chomp 2750
  directory "$RUN/callback" $root chomp-box 2750
  directory "$RUN/dispatch" chomp chomp 0755
  directory "$RUN/relay" chomp chomp-web 2750
  directory "$VAR/log" $root $root 0755
  for service in "${SERVICES[@]}" sessions; do
    directory "$VAR/log/$service" chomp chomp 0700
  done
  directory "$VAR/state" chomp chomp 0700
  directory "$VAR/secrets" chomp chomp 0700
  directory "$VAR/sandboxes" chomp-box chomp-box 0700
  directory "$VAR/agents" $root $root 0755
  [ "$AS_ROOT" -eq 0 ] || var_adopt
}

# Files that root or an earlier user left in a service's directory: a state.json dropped there to be adopted, or the
# whole of an instance that used to run as one ordinary user.
var_adopt() {
  local name
  for name in state secrets log/sessions run/dispatch "${SERVICES[@]/#/log/}"; do
    adopt "$VAR/$name" chomp chomp
  done
  adopt "$RUN/worker" chomp chomp-web
  adopt "$RUN/relay" chomp chomp-web
  adopt "$RUN/sandbox" chomp-box chomp
  adopt "$VAR/sandboxes" chomp-box chomp-box
}

adopt() { # directory user group
  [ -z "$(find "$1" -maxdepth 1 ! -user "$2" -print -quit)" ] || chown -hR "$2:$3" -- "$1" || die "cannot give $1 to $2"
}

SECRETS=(owner_token cookie_key agent_key sandbox_secret)

# Each 43 characters, base64url of 32 random bytes, and a newline.  A file appears whole or not at all.
secrets_make() {
  local name missing=0
  for name in "${SECRETS[@]}"; do
    [ -s "$VAR/secrets/$name" ] || missing=1
  done
  [ -d "$VAR/secrets/codes" ] || missing=1
  [ "$missing" -eq 1 ] || return 0
  # The directory is entered before the change of user, who might not be able to walk the whole path.
  (cd -- "$VAR/secrets" && as chomp sh -s -- "${SECRETS[@]}") <<'SH' || die "cannot write to $VAR/secrets"
set -eu
umask 077
mkdir -p codes
for name; do
  [ ! -s "$name" ] || continue
  text=$(head -c 32 /dev/urandom | base64 -w 0 | tr '+/' '-_' | tr -d '=')
  [ "${#text}" -eq 43 ]
  printf '%s\n' "$text" >".$name.new"
  sync ".$name.new"
  mv -f ".$name.new" "$name"
done
sync .
SH
}

# A login code: one use, ten minutes.  Only its hash is kept, and its age is the file's.
login_code() {
  local code hash
  code=$(head -c 32 /dev/urandom | base64 -w 0 | tr '+/' '-_' | tr -d '=')
  hash=$(printf %s "$code" | sha256sum)
  # shellcheck disable=SC2016
  (cd -- "$VAR/secrets" && as chomp sh -c '
    umask 077
    mkdir -p codes && find codes -type f -mmin +10 -delete
    : >"codes/$1"' sh "${hash%% *}") || die "cannot write to $VAR/secrets/codes"
  LOGIN_URL="$ORIGIN/login?code=$code"
}

# A secret file of the operator's that chomp-dispatch may not read is copied to where it may.
secret_of_remote_host() {
  DISPATCH_SECRET=$IN_VAR/secrets/sandbox_secret
  [ "$SANDBOX_LOCAL" -eq 0 ] || [ "$SANDBOX_AWAY" -eq 1 ] || return 0
  DISPATCH_SECRET=$SANDBOX_SECRET
  [ -n "$SANDBOX_SECRET" ] && [ "$AS_ROOT" -eq 1 ] || return 0
  ! as chomp test -r "$SANDBOX_SECRET" || return 0
  DISPATCH_SECRET=$IN_VAR/secrets/remote_sandbox_secret
  (cd -- "$VAR/secrets" && as chomp sh -c 'umask 077; cat >.remote.new && mv -f .remote.new remote_sandbox_secret') \
    <"$SANDBOX_SECRET" || die "cannot copy $SANDBOX_SECRET to $VAR/secrets"
}

# ---- reach ---------------------------------------------------------------------------------------------------------

# The longest path that a unix socket may have is 107 bytes.
SOCKET_TAIL=25 # /run/sandbox/sandbox.sock

place() {
  IN_APP=$APP IN_VAR=$VAR IN_BIN=$BIN IN_HTDOCS=$HTDOCS IN_AGENTS=$AGENTS
  MOUNTS=()
  if [ "$AS_ROOT" -eq 0 ]; then
    ((${#VAR} + SOCKET_TAIL <= 107)) ||
      die "CHOMP_VAR is too long for the sockets below it: $VAR has ${#VAR} bytes, $((107 - SOCKET_TAIL)) are possible"
    return 0
  fi
  short_name "${VAR%/*}" "$VAR"
  INSTANCE=$SHORT_NAME
  programs_reachable || programs_stage
  ((${#VAR} + SOCKET_TAIL <= 107)) && as chomp test -x "$VAR" || mount_plan var "$VAR" IN_VAR
  if [ "$AGENTS" = "$VAR/agents" ]; then
    IN_AGENTS=$IN_VAR/agents
  else
    # Made now, so that it can be mounted: agents may be installed later.
    mkdir -p -- "$AGENTS" || die "CHOMP_AGENTS: cannot create $AGENTS"
    as chomp-box test -r "$AGENTS" -a -x "$AGENTS" || mount_plan agents "$AGENTS" IN_AGENTS
  fi
  [ "${#MOUNTS[@]}" -eq 0 ] || mounts_possible
}

# short_name LABEL PATH: a directory name for PATH, a word for people and a hash against mix-ups.
short_name() {
  local hash label=${1##*/}
  label=${label//[!A-Za-z0-9_-]/}
  hash=$(printf %s "$2" | sha256sum)
  SHORT_NAME=${label:0:20}-${hash:0:8}
}

programs_reachable() {
  local blocked places=("$BIN" "$APP/cgi-templates" "$APP/scripts")
  [ ! -d "$HTDOCS" ] || places+=("$HTDOCS")
  # From /: find complains about a working directory that it may not enter.
  blocked=$(cd / && as chomp find "${places[@]}" ! -readable -print -quit 2>&1)
  [ -z "$blocked" ]
}

# One copy for each clone.  Refreshed in place: running sandboxes have the old scripts directory mounted, and would be
# left with a deleted one.
programs_stage() {
  local to part
  short_name "$APP" "$APP:$BIN"
  to=/var/lib/chomp/$SHORT_NAME/app
  mkdir -p -m 0755 /var/lib/chomp && mkdir -p -m 0755 -- "$to/bin" "$to/htdocs" || die "cannot create $to"
  cp -R --remove-destination -- "$BIN/." "$to/bin/" || die "cannot copy the programs to $to"
  for part in cgi-templates scripts; do
    mkdir -p -m 0755 -- "$to/$part"
    cp -R --remove-destination -- "$APP/$part/." "$to/$part/" || die "cannot copy $APP/$part to $to"
  done
  [ ! -d "$HTDOCS" ] || cp -R --remove-destination -- "$HTDOCS/." "$to/htdocs/" || die "cannot copy $HTDOCS to $to"
  chmod -R u+rwX,go+rX,go-w -- "${to%/app}" || die "cannot open $to for reading"
  IN_APP=$to IN_BIN=$to/bin IN_HTDOCS=$to/htdocs
}

mount_plan() { # name source variable
  local at=/run/chomp/$INSTANCE/$1
  mkdir -p -m 0755 /run/chomp && mkdir -p -m 0755 -- "/run/chomp/$INSTANCE" "$at" || die "cannot create $at"
  MOUNTS+=("$2" "$at")
  printf -v "$3" '%s' "$at"
}

mounts_possible() {
  local error
  error=$(unshare --mount -- mount --rbind -- "${MOUNTS[0]}" "${MOUNTS[1]}" 2>&1) && return 0
  die "${MOUNTS[0]} lies where the users chomp, chomp-box and www-data cannot go (or has too long a name), and a private
  mount that would lead them there is refused ($error).
  Take another directory: CHOMP_VAR=/var/lib/chomp/main $SELF up"
}

# Only with no sandbox left: removing a mount point takes the mount away from everybody who still has it.
mounts_forget() {
  local at
  [ "$AS_ROOT" -eq 1 ] || return 0
  short_name "${VAR%/*}" "$VAR"
  at=/run/chomp/$SHORT_NAME
  [ ! -d "$at" ] || rmdir -- "$at"/* "$at" 2>/dev/null || :
}
